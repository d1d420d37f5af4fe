"""The feeds that have a photo because of its audience, where that is not all followers."""

from __future__ import annotations

from collections.abc import Sequence

from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.models import PhotoAudience
from storage.postgres.database import Queryable
from storage.render.photo import is_restricted
from storage.stores.photos import photos
from storage.stores.social import close_friends, follows


class AudienceFeeds:
    """Readers of restricted photos, and their removal from the feeds of all other followers."""

    def __init__(self, db: Queryable, feeds: Feeds, cards: Cards) -> None:
        self._db = db
        self._feeds = feeds
        self._cards = cards

    async def readers(self, author_id: int, audience: PhotoAudience) -> list[int]:
        """Return the followers who have a restricted photo in their feeds: close friends, or none."""
        if audience is not PhotoAudience.CLOSE_FRIENDS:
            return []
        friends = await close_friends.ids(self._db, author_id)
        return await follows.readers(self._db, author_id, friends) if friends else []

    async def remove(
        self, photo_id: int, author_id: int, followers: Sequence[int], *, removed: bytes, new: bytes
    ) -> None:
        """Remove a restricted photo from these feeds, except those of its audience, and publish `removed`.

        If it has been given a wider audience meanwhile, it is inserted again, with the publication `new`.
        """
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        if photo is None:
            return  # its deletion has events of its own
        readers = set(await follows.readers(self._db, author_id, followers, audience=photo.audience))
        others = [follower for follower in followers if follower not in readers]
        await self._feeds.remove(photo_id, others, removed)
        card = (await self._cards.get([photo_id])).get(photo_id)
        # The handler of the later change stores the card before it inserts: either it comes after this removal, or the
        # card is found here.
        if card is not None and not is_restricted(card):
            await self._feeds.insert(photo_id, others, new, restore=True)
