"""Home feeds: a window log of the newest photos for each person, kept in step with what PostgreSQL says.

PostgreSQL decides who sees what; a feed is a cache of the newest 500 photos, and is built again from there
whenever it is missing. Whoever follows, unfollows or mutes gets the log put right by the truth as it stands
then, not by the event, so that the order in which events are handled does not matter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from storage.cache.cards import Cards
from storage.feeds.log_format import LogView
from storage.feeds.stream_log import StreamDelta, StreamPosition
from storage.feeds.window_log import Building, DeliveryScript, Filled, Inserted, WindowLog
from storage.postgres.database import Queryable
from storage.redis.client import Redis
from storage.stores import photo_lists, photos, relations

WINDOW = 500  # photos
FILL_ATTEMPTS = 5  # how often a list from PostgreSQL may turn out to be out of date
BUILD_WAIT = 0.3  # seconds to wait for another process that is building the same feed
POLL = 0.01  # seconds
# Seconds after an edit in which an insertion may come from a list of followers that was read before it; reading
# that list and inserting takes milliseconds.
SETTLING = 5


class FeedMetrics(Protocol):
    """Counts insertions."""

    def feeds_inserted(self, count: int) -> None:
        """Add the number of feeds into which a photo was inserted."""
        ...


class Feeds:
    """Insert into feeds, build and read them; raises `UnavailableError` when an engine does not answer."""

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
        """Put a photo into many people's feeds and tell those online; repeating it changes and tells nothing.

        A photo that was deleted meanwhile is put nowhere. People without a feed in Redis get none by this. Who
        unfollowed or muted the author after `user_ids` were read gets nothing either.
        """
        if await self._cards.is_gone(photo_id):
            return Inserted(feeds=0, online=0, messages=0)
        inserted = await self.log.insert(photo_id, user_ids, message, min_age=SETTLING)
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
        """Take a photo out of many people's feeds and tell those online; who is away learns of it by recovery."""
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
        """Forget a feed, for instance of an account that was deleted."""
        await self.log.discard(user_id)

    async def ensure(self, viewer_id: int) -> None:
        """Build a feed if there is none, once for all who ask; returns when it stands or somebody is busy with it."""
        task = self._building.get(viewer_id)
        if task is None:
            task = self._building[viewer_id] = asyncio.create_task(self._build(viewer_id))
            task.add_done_callback(lambda _: self._building.pop(viewer_id, None))
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
            ids = await photo_lists.home_ids(self._db, viewer_id, before=None, limit=window + 1)
            complete = len(ids) <= window
            filled, building = await self.log.fill(viewer_id, building, ids[:window], complete=complete)
            if filled is not Filled.CHANGED:
                return
        # Somebody follows and unfollows faster than the list is read; the next reader begins anew.
        await self.log.discard(viewer_id)

    async def _wait(self, viewer_id: int) -> LogView | None:
        deadline = time.monotonic() + BUILD_WAIT
        while True:
            head = await self.log.head(viewer_id)
            if head is None or not head.building or time.monotonic() > deadline:
                return head
            await asyncio.sleep(POLL)

    async def _insert_recently_edited(self, photo_id: int, user_ids: Sequence[int], message: bytes) -> Inserted:
        """Insert for those who still follow, and take it back from those who left even as it was inserted."""
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        if photo is None:
            return Inserted(feeds=0, online=0, messages=0)
        readers = await self._readers(photo.author.id, user_ids)
        inserted = await self.log.insert(photo_id, readers, message)
        for left in set(readers).difference(await self._readers(photo.author.id, readers)):
            await self.log.drop(left, [photo_id])
        return inserted

    async def _readers(self, author_id: int, user_ids: Sequence[int]) -> list[int]:
        """Return who of some people has an author's photos in the feed, the author included."""
        rows = await self._db.fetch(
            "SELECT follower_id FROM follows f WHERE followee_id = $1 AND follower_id = ANY($2::bigint[]) "
            "AND NOT EXISTS (SELECT FROM mutes m WHERE m.muter_id = f.follower_id AND m.muted_id = $1)",
            author_id,
            user_ids,
        )
        return [row["follower_id"] for row in rows] + [author_id] * (author_id in user_ids)

    async def _wants(self, viewer_id: int, author_id: int) -> bool:
        if viewer_id == author_id:
            return True
        relation = await relations.relation(self._db, viewer_id, author_id)
        return relation.following and not relation.muting and not relation.blocking
