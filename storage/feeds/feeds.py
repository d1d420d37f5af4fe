"""Home feeds: a window log of the newest photos for each user, kept consistent with PostgreSQL.

PostgreSQL decides which photos a viewer sees. A feed is a cache of the newest 500 of them and is built from PostgreSQL
whenever it is missing. After a follow, unfollow or mute it is aligned with the present relation and not with the
event, so the order in which events are handled does not matter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from storage.cache.cards import Cards
from storage.feeds.stream_log import StreamDelta, StreamPosition
from storage.feeds.window_log import Building, DeliveryScript, Filled, Inserted, WindowLog
from storage.postgres.database import Queryable
from storage.redis.client import Redis
from storage.stores import follows, photo_lists, photos, relations

WINDOW = 500  # photos
FILL_ATTEMPTS = 5  # lists read from PostgreSQL for one build, each outdated by a concurrent edit
BUILD_WAIT = 0.3  # seconds to wait for another process that is building the same feed
POLL_INTERVAL = 0.01  # seconds
# Seconds after an edit during which an insertion may still use a list of followers that was read before the edit.
# Reading the list and inserting take milliseconds.
RECENT_EDIT = 5


class FeedMetrics(Protocol):
    """Counts insertions."""

    def feeds_inserted(self, count: int) -> None:
        """Add the number of feeds into which a photo was inserted."""
        ...


class Feeds:
    """The home feeds of all users (see `StreamLog`); raises `UnavailableError` if an engine does not answer."""

    def __init__(
        self,
        db: Queryable,
        redis: Redis,
        cards: Cards,
        delivery: DeliveryScript,
        *,
        window: int = WINDOW,
        metrics: FeedMetrics | None = None,
    ) -> None:
        self._db = db
        self._cards = cards
        self._metrics = metrics
        self._building: dict[int, asyncio.Task[None]] = {}
        self.log = WindowLog(redis, "feed", delivery, window=window)

    async def insert(self, photo_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Insert a photo into the feeds of many users and publish `message` to those online; idempotent.

        A deleted photo is not inserted. Users without a feed in Redis get the message only. Users who unfollowed or
        muted the author after `user_ids` were read get neither.
        """
        if await self._cards.is_deleted(photo_id):
            return Inserted(feeds=0, online=0, messages=0)
        inserted = await self.log.insert(photo_id, user_ids, message, min_age=RECENT_EDIT)
        if inserted.recently_edited:
            rest = await self._insert_recently_edited(photo_id, inserted.recently_edited, message)
            inserted = Inserted(
                feeds=inserted.feeds + rest.feeds,
                online=inserted.online + rest.online,
                messages=inserted.messages + rest.messages,
            )
        if self._metrics is not None:
            self._metrics.feeds_inserted(inserted.feeds)
        return inserted

    async def remove(self, photo_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Remove a photo from the feeds of many users and publish `message`; offline clients recover the removal."""
        return await self.log.remove(photo_id, user_ids, message)

    async def align_author(self, viewer_id: int, author_id: int) -> None:
        """Merge an author's photos into a viewer's feed or drop them, as the database has their relation now.

        To be called after a follow, unfollow, mute, unmute or block; nothing is published. Another worker may be
        aligning the same pair after an earlier read, so the relation is read again afterwards, until it is stable.
        """
        wanted = await self._wants(viewer_id, author_id)
        while True:
            ids = await photo_lists.author_ids(self._db, author_id, limit=self.log.capacity)
            if wanted:
                await self.log.merge(viewer_id, ids)
            else:
                await self.log.drop(viewer_id, ids)
            still = await self._wants(viewer_id, author_id)
            if still == wanted:
                return
            wanted = still

    async def discard(self, user_id: int) -> None:
        """Delete a feed, for instance that of a deleted account."""
        await self.log.discard(user_id)

    async def ensure(self, viewer_id: int) -> None:
        """Build a feed if there is none, once for concurrent callers; wait up to `BUILD_WAIT` for another process."""
        task = self._building.get(viewer_id)
        if task is None:
            task = self._building[viewer_id] = asyncio.create_task(self._build(viewer_id))
            task.add_done_callback(lambda _: self._building.pop(viewer_id, None))
        # Shielded, because the task is shared: a cancelled caller must not cancel it for the others.
        await asyncio.shield(task)

    async def position(self, user_id: int) -> StreamPosition:
        """Return the end of a feed; build the feed if there is none."""
        head = await self.log.head(user_id)
        while head is None:
            await self.ensure(user_id)
            head = await self.log.head(user_id)
        return StreamPosition(str(head.epoch), head.top)

    async def since(self, user_id: int, epoch: str, offset: int) -> StreamDelta | None:
        """Return what was published to a user after a position, as `StreamLog.since` defines it."""
        return await self.log.since(user_id, epoch, offset)

    async def retained(self, user_id: int) -> StreamDelta:
        """Return every published entry that the feed still holds; build the feed if there is none."""
        view = await self.log.read(user_id)
        while view is None:
            await self.ensure(user_id)
            view = await self.log.read(user_id)
        return StreamDelta.retained(view)

    async def _build(self, viewer_id: int) -> None:
        building = await self.log.begin(viewer_id)
        if building.mine:
            await self._fill(viewer_id, building)
        else:
            await self._wait(viewer_id)

    async def _fill(self, viewer_id: int, building: Building) -> None:
        window = self.log.window
        for _ in range(FILL_ATTEMPTS):
            # One more than the window shows whether the list is complete.
            ids = await photo_lists.home_ids(self._db, viewer_id, before=None, limit=window + 1)
            complete = len(ids) <= window
            filled, building = await self.log.fill(viewer_id, building, ids[:window], complete=complete)
            if filled is not Filled.CHANGED:
                return
        # The user follows and unfollows faster than the list is read. The next reader starts a new build.
        await self.log.discard(viewer_id)

    async def _wait(self, viewer_id: int) -> None:
        deadline = time.monotonic() + BUILD_WAIT
        while True:
            head = await self.log.head(viewer_id)
            if head is None or not head.building or time.monotonic() > deadline:
                return
            await asyncio.sleep(POLL_INTERVAL)

    async def _insert_recently_edited(self, photo_id: int, user_ids: Sequence[int], message: bytes) -> Inserted:
        """Insert for those who still follow; undo it for those who unfollow during the insertion."""
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        if photo is None:
            return Inserted(feeds=0, online=0, messages=0)
        # Read before the insertion and again after it, because a user may unfollow in between.
        readers = await self._readers(photo.author.id, user_ids)
        inserted = await self.log.insert(photo_id, readers, message)
        for former in set(readers).difference(await self._readers(photo.author.id, readers)):
            await self.log.drop(former, [photo_id])
        return inserted

    async def _readers(self, author_id: int, user_ids: Sequence[int]) -> list[int]:
        """Return which of these users have the author's photos in their feeds; the author is one of them."""
        return await follows.readers(self._db, author_id, user_ids) + [author_id] * (author_id in user_ids)

    async def _wants(self, viewer_id: int, author_id: int) -> bool:
        if viewer_id == author_id:
            return True
        relation = await relations.relation(self._db, viewer_id, author_id)
        return relation.following and not relation.muting and not relation.blocking
