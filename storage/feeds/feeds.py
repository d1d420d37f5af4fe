"""Home feeds: a window log of the newest photos for each user, kept consistent with PostgreSQL.

PostgreSQL decides which photos a viewer sees. A feed is a cache of the newest 500 of them, of the last 90 days, and is
built from PostgreSQL whenever it is missing. After a follow, unfollow or mute it is aligned with the present relation
and not with the event, so the order in which events are handled does not matter. Photos of stars are pulled when a feed
is read; see `storage.feeds.star_logs`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

import structlog

from storage.cache.cards import Cards
from storage.feeds.star_logs import FollowedStars, StarLogs
from storage.feeds.stream_log import StreamDelta, StreamPosition
from storage.feeds.window_log import Building, DeliveryScript, Filled, Inserted, WindowLog
from storage.ids import first_id_at
from storage.models import Photo, StarState
from storage.postgres.database import Queryable
from storage.redis.client import Redis
from storage.stores.photos import photo_lists, photos
from storage.stores.social import follows, relations, stars

WINDOW = 500  # photos
FILL_ATTEMPTS = 5  # lists read from PostgreSQL for one build, each outdated by a concurrent edit
DAYS = 90  # after which an entry ends
BUILDERS = 4  # feeds that a process builds at the same time
BUILD_WAIT = 0.3  # seconds to wait for another process that is building the same feed, and for a builder
POLL_INTERVAL = 0.01  # seconds
# Seconds after an edit during which an insertion may still use a list of followers that was read before the edit.
# Reading the list and inserting take milliseconds.
RECENT_EDIT = 5

log = structlog.get_logger(__name__)


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
        days: int = DAYS,
        metrics: FeedMetrics | None = None,
    ) -> None:
        self._days = days  # after which an entry ends
        self._db = db
        self._cards = cards
        self._metrics = metrics
        self._building: dict[int, asyncio.Task[None]] = {}
        # After two weeks without a read a user has no feed. Many who return at once must not occupy the database.
        self._builders = asyncio.Semaphore(BUILDERS)
        self.log = WindowLog(redis, "feed", delivery, window=window)
        self.star_logs = StarLogs(redis, delivery)
        self.followed_stars = FollowedStars(redis, delivery, self.log.key, window=window)

    async def insert(
        self, photo_id: int, user_ids: Iterable[int], message: bytes, *, restore: bool = False
    ) -> Inserted:
        """Insert a photo into the feeds of many users and publish `message` to those online; idempotent.

        A deleted or hidden photo is not inserted. Users without a feed in Redis get the message only. Users who
        unfollowed or muted the author after `user_ids` were read get neither. With `restore`, a photo that was removed
        because of its audience or by moderation is inserted again.
        """
        if await self._cards.is_withdrawn(photo_id):
            return Inserted(feeds=0, online=0, messages=0)
        inserted = await self.log.insert(photo_id, user_ids, message, min_age=RECENT_EDIT, restore=restore)
        if inserted.recently_edited:
            rest = await self._insert_recently_edited(photo_id, inserted.recently_edited, message, restore=restore)
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

    async def announce(self, photo_id: int, star_id: int, message: bytes, *, restore: bool = False) -> bool:
        """Announce a star's photo, for the followers' feeds to pull, and publish `message` to those online; idempotent.

        A deleted or hidden photo is not announced. Return False if it has to be inserted; see `StarLogs.announce`.
        """
        if await self._cards.is_withdrawn(photo_id):
            return True
        return await self.star_logs.announce(star_id, photo_id, message, restore=restore)

    async def align_author(self, viewer_id: int, author_id: int) -> None:
        """Merge an author's photos into a viewer's feed or drop them, as the database has their relation now.

        A star is added to the list of those that the viewer follows, or removed from it.

        To be called after a follow, unfollow, mute, unmute or block, and when the viewer becomes a close friend of the
        author or is none any more; nothing is published. Another worker may be aligning the same pair after an earlier
        read, so the relation is read again afterwards, until it is stable.
        """
        wanted, star = await relations.in_home_feed(self._db, viewer_id, author_id)
        while True:
            # The list comes first: what the star announces until the ids are read is pulled, or among the ids.
            if star is not None:
                listed = wanted and star is not StarState.DEMOTING
                await (self.followed_stars.add if listed else self.followed_stars.remove)(author_id, [viewer_id])
            ids = await photo_lists.ids_for(self._db, author_id, viewer_id=viewer_id, limit=self.log.capacity)
            if wanted:
                if ids.hidden:
                    await self.log.drop(viewer_id, ids.hidden)
                await self.log.merge(viewer_id, ids.shown)
                if ids.circle:
                    # They may be marked as removed: when the viewer was no close friend, and the audience changed.
                    await self.log.merge(viewer_id, ids.circle, restore=True)
            else:
                await self.log.drop(viewer_id, [*ids.shown, *ids.hidden])
            still = await relations.in_home_feed(self._db, viewer_id, author_id)
            if still == (wanted, star):
                return
            wanted, star = still

    async def stars_of(self, viewer_id: int) -> Sequence[int]:
        """Return the stars whose announcements belong to a viewer's feed; build the feed if there is none.

        Later changes are published to the viewer's connections.
        """
        for _ in range(2):
            head = await self.log.head(viewer_id)
            if head is not None and not head.building:
                found = await self.followed_stars.of(viewer_id) if head.has_stars else ()
                if found is not None:
                    return found
            await self.ensure(viewer_id)
        # Another process is building the feed, or it is evicted again and again.
        return await stars.among(self._db, await photo_lists.followees(self._db, viewer_id))

    async def discard(self, user_id: int) -> None:
        """Delete a feed, for instance that of a deleted account."""
        await self.log.discard(user_id)
        await self.followed_stars.discard(user_id)

    async def ensure(self, viewer_id: int) -> None:
        """Build a feed if there is none, once for concurrent callers.

        It is not waited for longer than `BUILD_WAIT` if another process builds it, or if all builders are busy: the
        build goes on.
        """
        task = self._building.get(viewer_id)
        if task is None:
            task = self._building[viewer_id] = asyncio.create_task(self._build(viewer_id))
            task.add_done_callback(partial(self._built, viewer_id))
        # The task is shared: a cancelled caller does not cancel it for the others.
        done, _ = await asyncio.wait([task], timeout=BUILD_WAIT if self._builders.locked() else None)
        if done:
            task.result()

    def oldest_id(self) -> int:
        """Return the id below which entries end."""
        return first_id_at(time.time() - self._days * 86400)

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

    def _built(self, viewer_id: int, task: asyncio.Task[None]) -> None:
        self._building.pop(viewer_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its callers may have gone. The next reader tries again.
            log.warning("feed_not_built", error=str(error))

    async def _build(self, viewer_id: int) -> None:
        async with self._builders:
            building = await self.log.begin(viewer_id)
            if building.mine:
                await self._fill(viewer_id, building)
                return
        await self._wait(viewer_id)

    async def _fill(self, viewer_id: int, building: Building) -> None:
        window = self.log.window
        for _ in range(FILL_ATTEMPTS):
            authors = await photo_lists.followees(self._db, viewer_id)
            ids, followed = await asyncio.gather(
                # One more than the window shows whether the list is complete.
                photo_lists.newest_ids(self._db, viewer_id, authors, before=None, limit=window + 1),
                stars.among(self._db, authors),
            )
            recent = [photo_id for photo_id in ids[:window] if photo_id >= self.oldest_id()]
            complete = len(recent) == len(ids)
            # An incomplete list has at least one id: the place at which PostgreSQL continues.
            kept = recent or ids[:1]
            filled, building = await self.log.fill(viewer_id, building, kept, complete=complete, stars=followed)
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

    async def _insert_recently_edited(
        self, photo_id: int, user_ids: Sequence[int], message: bytes, *, restore: bool
    ) -> Inserted:
        """Insert for those who still follow; undo it for those who unfollow during the insertion."""
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        if photo is None:
            return Inserted(feeds=0, online=0, messages=0)
        # Read before the insertion and again after it, because a user may unfollow in between.
        readers = await self._readers(photo, user_ids)
        inserted = await self.log.insert(photo_id, readers, message, restore=restore)
        for former in set(readers).difference(await self._readers(photo, readers)):
            await self.log.drop(former, [photo_id])
        return inserted

    async def _readers(self, photo: Photo, user_ids: Sequence[int]) -> list[int]:
        """Return which of these users have the photo in their feeds; the author is one of them."""
        author_id = photo.author.id
        readers = await follows.readers(self._db, author_id, user_ids, audience=photo.audience)
        return readers + [author_id] * (author_id in user_ids)
