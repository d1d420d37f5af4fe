"""Stars: what a photo, a promotion and the pages of followers cost, against authors whose photos are inserted.

One process against a real `redis-server`. The yardsticks are measured in the same rounds: the fan-out of the same photo
to 5,000 followers, and the page of a viewer who follows as many other authors with the same photos.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from bench.followers import create_author
from bench.report import RATIO, Figure, figure, ratios
from server.composition.delivery import delivery_script
from storage import events
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.embedded.postgres import embedded_postgres
from storage.events import StarChunk
from storage.feeds.feeds import Feeds
from storage.feeds.home import Home
from storage.ids import IdGenerator, shard_of
from storage.limits.quotas import QuotaPolicy
from storage.models import StarState
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from storage.postgres.reads import PrimaryReads
from storage.redis.client import Redis, open_redis
from storage.stores.social import follows, stars
from tests.engines.private import redis_server
from tests.support.gallery import Gallery
from workers.broker.routing import queues_of
from workers.jobs.feeds.stars import Stars

FOLLOWERS = 5_000
FOLLOWED = 20  # authors
CHUNK = 1_000
SETTLED = 7  # seconds
GROUP = "stars"
PLENTY = QuotaPolicy(name="reads", limit=1_000_000_000, window_seconds=60)
MESSAGE = b"x" * 900


async def measure(*, quick: bool) -> list[Figure]:
    """Return the cost of a photo and of pages as ratios, and the duration of a promotion."""
    runs, pages = (3, 100) if quick else (7, 400)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis = open_redis(stack.enter_context(redis_server(folder / "redis")))
        stack.push_async_callback(redis.aclose)
        await migrate(dsn)
        db = await Database.connect(dsn, routes=queues_of)
        stack.push_async_callback(db.close)
        cards = Cards(db, redis)
        feeds = Feeds(db, redis, cards, delivery_script(redis))
        home = Home(PrimaryReads(db), redis, feeds, cards, CounterCache(db, redis))
        photo = await _photo_figures(db, feeds, runs)
        page = await _Pages(db, redis, feeds, home).figures(runs, pages)
    return [*photo, *page]


async def _photo_figures(db: Database, feeds: Feeds, runs: int) -> list[Figure]:
    author, followers = await create_author(db, FOLLOWERS)
    ids = IdGenerator()
    for follower in followers:
        await feeds.log.fill(follower, await feeds.log.begin(follower), [ids.new(0)], complete=True)
    # For a few seconds after a feed is built, insertions verify the follow again; that is not the normal case.
    await asyncio.sleep(SETTLED)
    inserted = [await _timed(lambda: _fan_out(db, feeds, author, ids.new(0))) for _ in range(runs)]
    promotion = await _timed(lambda: _promote(db, feeds, author, FOLLOWERS))
    announced = [await _timed(lambda: feeds.announce(ids.new(0), author, MESSAGE)) for _ in range(runs)]
    return [
        figure(GROUP, f"photo inserted into the feeds of {FOLLOWERS:,} followers", "ms", _milliseconds(inserted)),
        figure(GROUP, "photo of a star announced, whatever the followers", "ms", _milliseconds(announced)),
        figure(
            GROUP,
            f"ratio of the announcement to {FOLLOWERS:,} insertions",
            RATIO,
            ratios(announced, inserted),
            at_most=0.5,
            limit="16 calls of a script, one for each slot group, against one for each group and thousand followers",
        ),
        figure(GROUP, "promotion, for a million followers", "s", [promotion / FOLLOWERS * 1_000_000]),
    ]


async def _fan_out(db: Database, feeds: Feeds, author: int, photo: int) -> None:
    after = (-1, -1)
    while chunk := await follows.follower_ids(db, author, after=after, until=None, limit=CHUNK):
        await feeds.insert(photo, chunk, MESSAGE)
        after = (shard_of(chunk[-1]), chunk[-1])


async def _promote(db: Database, feeds: Feeds, author: int, followers: int) -> None:
    """Promote an author, without the pauses of the queue."""
    changes = Stars(db, feeds, followers=followers)
    async with db.transaction() as tx:
        await stars.begin(tx, author, StarState.PROMOTING, after=await stars.standing(db, author))
    event = StarChunk(author_id=author, change_id=(await stars.standing(db, author)).change_id)
    while True:
        await changes.chunk(event)
        rows = await db.fetch("DELETE FROM outbox WHERE topic = $1 RETURNING topic, body", StarChunk.topic)
        chunks = [events.decode(row["topic"], row["body"]) for row in rows]
        following = [chunk for chunk in chunks if isinstance(chunk, StarChunk) and chunk.after_id > 0]
        if not following:
            return
        (event,) = following


class _Pages:
    """Two viewers of the same photos: one follows authors, the other follows stars."""

    def __init__(self, db: Database, redis: Redis, feeds: Feeds, home: Home) -> None:
        self._db = db
        self._redis = redis
        self._feeds = feeds
        self._home = home
        self._ids = IdGenerator()

    async def figures(self, runs: int, pages: int) -> list[Figure]:
        """Return the ratios of the star-follower's page to the other one's."""
        gallery = Gallery(self._db)
        plain, fan = await gallery.user(), await gallery.user()
        authors = [await gallery.user() for _ in range(FOLLOWED)]
        for author in authors:
            for viewer in (plain, fan):
                await gallery.follow(viewer, author)
            await gallery.photo(author)
            await gallery.photo(author)
        for viewer in (plain, fan):
            await self._page(viewer)
        for author in authors:
            await self._feeds.star_logs.open(author)
            await self._feeds.followed_stars.add(author, [fan])
        other = await gallery.user()
        await self._feeds.star_logs.open(other)

        async def nothing() -> None:
            """Announce nothing."""

        async def of_another_star() -> None:
            await self._feeds.announce(self._ids.new(0), other, MESSAGE)

        cases = {"nothing was announced": nothing, "another star announced a photo": of_another_star}
        found = []
        for name, before in cases.items():
            pairs = [await self._pair(plain, fan, before, pages) for _ in range(runs)]
            found.append(
                figure(
                    GROUP,
                    f"page of a follower of {FOLLOWED} stars, since which {name}, against {FOLLOWED} other authors",
                    RATIO,
                    ratios([pair[1] for pair in pairs], [pair[0] for pair in pairs]),
                    at_most=1.15,
                    limit="the same page without stars: its cost, and one command for the heads of the stars",
                )
            )
        return found

    async def _pair(
        self, plain: int, fan: int, before: Callable[[], Awaitable[None]], pages: int
    ) -> tuple[float, float]:
        """Return the seconds of the pages of both viewers, read by turns."""
        seconds = [0.0, 0.0]
        for _ in range(pages):
            for index, viewer in enumerate((plain, fan)):
                await before()
                seconds[index] += await _timed(lambda viewer=viewer: self._page(viewer))  # type: ignore[misc]
        return seconds[0], seconds[1]

    async def _page(self, viewer: int) -> None:
        await self._home.page(viewer, session="s", before=None, limit=20, policy=PLENTY)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def _milliseconds(seconds: list[float]) -> list[float]:
    return [value * 1000 for value in seconds]
