"""Photos that moderation hides, restores or marks: out of the feeds and live connections of others, and back.

The handlers act on the photo as it is when they run. Hiding and restoring may be handled at the same moment, so each
looks again at its end, and undoes what does not hold any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from channels.bus.publisher import LivePublisher
from storage.cache.cards import Cards
from storage.events import PhotoHidden, PhotoMarked, PhotoRestored
from storage.feeds.feeds import Feeds
from storage.models import RESTRICTED, Photo, PhotoAudience
from storage.render.photo import is_restricted
from workers.handlers import EventHandler, on
from workers.jobs.feeds.audience_feeds import AudienceFeeds
from workers.jobs.feeds.photo_feeds import PhotoFeeds, message
from workers.jobs.live import publications
from workers.jobs.live.permissions import LivePermissions


class HiddenPhotos:
    """Handlers of the decisions of moderation; `edited` publishes the description of a photo to those who see it."""

    def __init__(
        self,
        feeds: Feeds,
        cards: Cards,
        publisher: LivePublisher,
        permissions: LivePermissions,
        *,
        photo_feeds: PhotoFeeds,
        audiences: AudienceFeeds,
        edited: Callable[[int], Awaitable[object]],
    ) -> None:
        self._feeds = feeds
        self._cards = cards
        self._publisher = publisher
        self._permissions = permissions
        self._photo_feeds = photo_feeds
        self._audiences = audiences
        self._edited = edited

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(PhotoHidden, self.hidden),
            **on(PhotoRestored, self.restored),
            **on(PhotoMarked, self.marked),
        }

    async def hidden(self, event: PhotoHidden) -> None:
        """Remove a photo from all feeds, publish its removal, and end the subscriptions of others to its topic."""
        stored = await self._cards.refresh(event.photo_id)
        if stored is not None or not event.published:
            return  # it is shown again, which has an event of its own, or never was
        await self._permissions.photo_hidden(event.photo_id)
        await self.withdraw(event.photo_id, event.author_id, PhotoAudience(event.audience))
        await self._undo(event.photo_id, self._restore)

    async def restored(self, event: PhotoRestored) -> None:
        """Insert a photo into the feeds of its present audience, at its place, and publish it."""
        stored = await self._cards.refresh(event.photo_id)
        if stored is None:
            return
        await self._restore(*stored)
        if await self._cards.refresh(event.photo_id) is None:
            await self.withdraw(event.photo_id, event.author_id, stored[0].audience)

    async def marked(self, event: PhotoMarked) -> None:
        """Publish that a photo is sensitive, or no longer, to those who have it open."""
        await self._edited(event.photo_id)

    async def withdraw(self, photo_id: int, author_id: int, audience: PhotoAudience) -> None:
        """Remove a photo from the feeds of an audience that had it, and publish that to them."""
        removed = publications.photo_removed(photo_id)
        if audience in RESTRICTED:
            # The others must not learn that there was such a photo.
            readers = await self._audiences.readers(author_id, audience)
            await self._feeds.remove(photo_id, [author_id, *readers], message(removed))
        else:
            await self._photo_feeds.remove_from_all(photo_id, author_id)
        if audience is PhotoAudience.PUBLIC:
            await self._publisher.to_topic(publications.user_topic(author_id), removed)

    async def keep_shown(self, photo_id: int, followers: Sequence[int]) -> None:
        """Insert a photo that was removed from these feeds again, if it is shown to all followers by now."""
        await self._undo(photo_id, partial(self._insert, followers))

    async def keep_hidden(self, photo_id: int, followers: Sequence[int]) -> None:
        """Remove a photo that was inserted into these feeds again, if it is not shown by now."""
        if not await self._cards.get([photo_id]):
            await self._feeds.remove(photo_id, followers, message(publications.photo_removed(photo_id)))

    async def _undo(self, photo_id: int, restore: Callable[[Photo, bytes], Awaitable[None]]) -> None:
        # Most often it is not shown, which the mark in Redis says.
        if await self._cards.get([photo_id]):
            stored = await self._cards.refresh(photo_id)
            if stored is not None:
                await restore(*stored)

    async def _restore(self, photo: Photo, card: bytes) -> None:
        document = self._photo_feeds.document(card, photo.likes, photo.comments)
        if photo.restricted:
            readers = await self._audiences.readers(photo.author.id, photo.audience)
            await self._feeds.insert(photo.id, [photo.author.id, *readers], message(document), restore=True)
        else:
            await self._photo_feeds.restore_to_all(photo.id, photo.author.id, document)
        if photo.audience is PhotoAudience.PUBLIC:
            await self._publisher.to_topic(publications.user_topic(photo.author.id), document)

    async def _insert(self, followers: Sequence[int], photo: Photo, card: bytes) -> None:
        if not is_restricted(card):
            document = self._photo_feeds.document(card, photo.likes, photo.comments)
            await self._feeds.insert(photo.id, followers, message(document), restore=True)
