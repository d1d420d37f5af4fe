"""Pages of the home feed from PostgreSQL alone, while Redis is away.

Nothing of a page is kept for the next reader: which photos a viewer may see is read for each viewer, and the rest of
the rows comes with it.
"""

from __future__ import annotations

from functools import partial

from storage.cache.cards import Cards
from storage.feeds.home_page import FeedPage
from storage.postgres.database import Queryable
from storage.postgres.fallback import DatabaseFallback
from storage.render.images import Sign
from storage.render.photo import assemble
from storage.stores.photos import likes, photo_lists


class DatabaseHome:
    """Reads pages as `Home` does, without a position in the live stream; raises `UnavailableError`."""

    def __init__(self, fallback: DatabaseFallback, cards: Cards) -> None:
        self._fallback = fallback
        self._cards = cards

    async def page(self, viewer_id: int, *, before: int | None, limit: int, sign: Sign | None = None) -> FeedPage:
        """Return up to `limit` photos below `before`; `sign` as in `render.photo.assemble`."""
        read = partial(self._read, viewer_id=viewer_id, before=before, limit=limit, sign=sign)
        return await self._fallback.read_page(viewer_id, read)

    async def _read(
        self, db: Queryable, *, viewer_id: int, before: int | None, limit: int, sign: Sign | None
    ) -> FeedPage:
        read_ids = partial(_home_ids, db, viewer_id)
        # One more than wanted shows whether there is a next page.
        photos = await photo_lists.filled(db, read_ids, viewer_id=viewer_id, before=before, limit=limit + 1)
        more, photos = len(photos) > limit, photos[:limit]
        liked = await likes.among(db, [photo.id for photo in photos], user_id=viewer_id)
        items = [
            assemble(
                self._cards.render(photo),
                likes=photo.likes,
                comments=photo.comments,
                liked=photo.id in liked,
                sign=sign,
            )
            for photo in photos
        ]
        return FeedPage(pieces=[b",".join(items)] if items else [], next=photos[-1].id if more else None)


async def _home_ids(db: Queryable, viewer_id: int, before: int | None, limit: int) -> list[int]:
    return await photo_lists.home_ids(db, viewer_id, before=before, limit=limit)
