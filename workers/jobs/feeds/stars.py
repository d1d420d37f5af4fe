"""Stars: announce their photos, and promote and demote authors as their number of followers changes.

The number is compared when a photo is ready, so an author without photos costs nothing, and followers who come and go
change nothing. A promotion or demotion changes the lists of all followers in chunks, in the queue "bulk". Photos are
inserted into each feed meanwhile, so that it does not matter which followers have been served. The handlers act on the
state of the stores when they run: events may be late, repeated or out of order.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace

from storage.events import StarChunk
from storage.feeds.feeds import Feeds
from storage.ids import milliseconds_of, shard_of
from storage.models import StarState
from storage.postgres.database import Database
from storage.stores.social import follows, stars
from storage.stores.social.stars import Standing
from workers.handlers import EventHandler, on
from workers.jobs.metrics import NoStarMetrics, StarMetrics

DEMOTED_AT = 0.8  # of the followers that make a star: a number that goes up and down does not change it each time
RESTART_AFTER = (
    3600.0  # seconds after which a promotion or demotion has stopped, as its event is among the dead letters
)
# Seconds after which it has stopped for an operator who looks at it: a million followers take a minute.
STUCK_AFTER = 900.0
CHUNK = 250  # followers that one event serves, some 5 ms: others' photos wait for it on the same cores


def due(standing: Standing, *, followers: int, now: float, restart_after: float = RESTART_AFTER) -> StarState | None:
    """Return the promotion or demotion that is to begin, or to begin again, at Unix second `now`; None for neither.

    `followers` is the number from which an author is a star. A change that is under way for `restart_after` seconds has
    stopped.
    """
    if standing.state is None:
        return StarState.PROMOTING if standing.followers >= followers else None
    if standing.state is StarState.STAR:
        return StarState.DEMOTING if standing.followers <= DEMOTED_AT * followers else None
    return standing.state if seconds_since(standing.change_id, now) > restart_after else None


def seconds_since(change_id: int, now: float) -> float:
    """Return for how many seconds a promotion or demotion is under way at Unix second `now`."""
    return now - milliseconds_of(change_id) / 1000


async def reconsider(
    db: Database, author_id: int, standing: Standing, *, followers: int, restart_after: float = RESTART_AFTER
) -> StarState | None:
    """Begin a promotion or demotion if it is `due`; return which one was begun, None for neither."""
    state = due(standing, followers=followers, now=time.time(), restart_after=restart_after)
    if state is None:
        return None
    async with db.transaction() as tx:
        begun = await stars.begin(tx, author_id, state, after=standing)
    return state if begun else None


class Stars:
    """Announcements of stars' photos, promotions and demotions; `followers` is the number that makes a star."""

    def __init__(
        self,
        db: Database,
        feeds: Feeds,
        *,
        followers: int,
        metrics: StarMetrics | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._db = db
        self._feeds = feeds
        self._followers = followers
        self._metrics = metrics or NoStarMetrics()
        self._chunk = chunk

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of the topic."""
        return on(StarChunk, self.chunk)

    async def announce(
        self, photo_id: int, author_id: int, standing: Standing, message: bytes, *, restore: bool = False
    ) -> bool:
        """Announce a photo, if its author's photos are announced; return whether that reaches all followers.

        With `restore`, a photo whose removal was announced is announced again.
        """
        if not standing.announces(photo_id):
            return False
        announced = self._feeds.announce(photo_id, author_id, message, restore=restore)
        return await self._measured(announced, author_id, photo_id)

    async def remove(self, photo_id: int, author_id: int, standing: Standing, message: bytes) -> bool:
        """Announce the removal of a photo, as `announce` does."""
        if not standing.announces(photo_id):
            return False
        return await self._measured(self._feeds.star_logs.remove(author_id, photo_id, message), author_id, photo_id)

    async def reconsider(self, author_id: int, standing: Standing) -> None:
        """Begin a promotion or demotion if it is due."""
        await reconsider(self._db, author_id, standing, followers=self._followers)

    async def chunk(self, event: StarChunk) -> None:
        """Change the lists of the next followers, and emit the event of those after them, or complete the change."""
        standing = await stars.standing(self._db, event.author_id)
        if standing.change_id != event.change_id or standing.state in (None, StarState.STAR):
            return
        after = (event.after_shard, event.after_id)
        followers = await follows.follower_ids(self._db, event.author_id, after=after, until=None, limit=self._chunk)
        if standing.state is StarState.PROMOTING:
            await self._add(event.author_id, followers)
        else:
            await self._feeds.followed_stars.remove(event.author_id, followers)
        if len(followers) == self._chunk:
            async with self._db.transaction() as tx:
                tx.emit(replace(event, after_shard=shard_of(followers[-1]), after_id=followers[-1]))
        else:
            await self._complete(event, standing.state)

    async def _add(self, author_id: int, followers: list[int]) -> None:
        # Before any list: a feed that finds no log of its star is built again.
        await self._feeds.star_logs.open(author_id)
        await self._feeds.followed_stars.add(author_id, followers)
        # Some may have unfollowed after they were read, and had the star taken off their list before it was there.
        for former in set(followers).difference(await follows.readers(self._db, author_id, followers)):
            await self._feeds.align_author(former, author_id)

    async def _complete(self, event: StarChunk, state: StarState) -> None:
        if state is StarState.DEMOTING:
            # Before the row, so that it is not a next promotion's logs that are deleted.
            await self._feeds.star_logs.close(event.author_id)
        async with self._db.transaction() as tx:
            complete = stars.promoted if state is StarState.PROMOTING else stars.demoted
            done = await complete(tx, event.author_id, event.change_id)
        if done:
            change = "promotion" if state is StarState.PROMOTING else "demotion"
            self._metrics.star_changed(change=change, seconds=seconds_since(event.change_id, time.time()))

    async def _measured(self, announcing: Awaitable[bool], author_id: int, photo_id: int) -> bool:
        """Wait for an announcement; return whether it reaches all followers."""
        started = time.monotonic()
        if not await announcing:
            return False
        self._metrics.star_announced(seconds=time.monotonic() - started)
        # A demotion may have begun since the standing was read. Feeds that it served before the announcement do not
        # pull it, so the photo has to be inserted. Into those that have it, it is not inserted again.
        return (await stars.standing(self._db, author_id)).announces(photo_id)
