"""What a photo costs for each follower, and an announcement, with 1,000 to 1,000,000 followers.

One process against a real `redis-server`. The followers are rows, each with a feed of 64 photos in Redis. Every feed
gets eight photos in each round, whatever the size: a feed moves its newest eight entries together, so each of eight
insertions has the same share of that. The authors have no followers in common.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.crowd import add_followers, member
from bench.crowd_feeds import fill_feeds
from bench.report import RATIO, Figure, figure, ratios
from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.embedded.postgres import embedded_postgres
from storage.feeds.feeds import Feeds
from storage.ids import IdGenerator, shard_of
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from storage.redis.client import open_redis
from storage.stores.social import follows, stars
from tests.engines.private import redis_server
from tests.support.gallery import Gallery
from workers.broker.routing import queues_of

GROUP = "for each follower"
CHUNK = 1_000
PHOTOS = 8
ENTRIES = 64
GOAL = 1.15
ANNOUNCEMENTS = 50
SETTLED = 7  # seconds
MESSAGE = b"x" * 900


@dataclass(frozen=True, kw_only=True)
class _Size:
    """Authors with as many followers each; `micros` has the microseconds for each follower, one value a round."""

    followers: int
    authors: list[int]
    micros: list[float] = field(default_factory=list)
    announcements: list[float] = field(default_factory=list)


async def measure(*, quick: bool) -> list[Figure]:
    """Return the cost of both for each size, and the ratio of the greatest to the smallest."""
    wanted = {1_000: 4, 20_000: 1} if quick else {1_000: 20, 10_000: 4, 100_000: 1, 1_000_000: 1}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis = open_redis(stack.enter_context(redis_server(folder / "redis")))
        stack.push_async_callback(redis.aclose)
        await migrate(dsn)
        db = await Database.connect(dsn, routes=queues_of)
        stack.push_async_callback(db.close)
        feeds = Feeds(db, redis, Cards(db, redis), delivery_script(redis))
        sizes = await _authors(db, wanted)
        everyone = range(1, sum(size.followers * len(size.authors) for size in sizes) + 1)
        await fill_feeds(redis, feeds, [member(number) for number in everyone], entries=ENTRIES)
        # For a few seconds after a feed is built, insertions verify the follow again; that is not the normal case.
        await asyncio.sleep(SETTLED)
        for number in range(2 if quick else 4):
            # The first round fills the caches, for which a million feeds are too many.
            inserted = [await _inserted(db, feeds, size) for size in (sizes if number else sizes[:-1])]
            announced = await _announced(db, feeds, sizes)
            if number:
                for size, micros, milliseconds in zip(sizes, inserted, announced, strict=True):
                    size.micros.append(micros)
                    size.announcements.append(milliseconds)
    return _figures(sizes)


def _figures(sizes: list[_Size]) -> list[Figure]:
    figures = []
    for size in sizes:
        figures += [
            figure(GROUP, f"insertion, {size.followers:,} followers", "µs", size.micros),
            figure(GROUP, f"announcement of a star with {size.followers:,} followers", "ms", size.announcements),
        ]
    least, *_, greatest = sizes
    name = f"{greatest.followers:,} : {least.followers:,} followers"
    pairs = (
        ("insertion for each", greatest.micros, least.micros),
        ("announcement", greatest.announcements, least.announcements),
    )
    return [
        *figures,
        *(
            figure(
                GROUP,
                f"{what}, {name}",
                RATIO,
                ratios(many, few),
                at_most=GOAL,
                limit="the same work with fewer followers: a cost that is proportional, or does not grow at all",
            )
            for what, many, few in pairs
        ),
    ]


async def _authors(db: Database, wanted: dict[int, int]) -> list[_Size]:
    gallery, sizes, first = Gallery(db), list[_Size](), 1
    for followers, number in wanted.items():
        authors = [await gallery.user() for _ in range(number)]
        for author in authors:
            await add_followers(db, author, followers, first=first)
            first += followers
        sizes.append(_Size(followers=followers, authors=authors))
    return sizes


async def _inserted(db: Database, feeds: Feeds, size: _Size) -> float:
    """Return the microseconds of an insertion into one feed."""
    ids, started = IdGenerator(), time.perf_counter()
    for author in size.authors:
        for _ in range(PHOTOS):
            await _fan_out(db, feeds, author, ids.new(0))
    return (time.perf_counter() - started) / (PHOTOS * size.followers * len(size.authors)) * 1e6


async def _announced(db: Database, feeds: Feeds, sizes: list[_Size]) -> list[float]:
    """Return the median milliseconds of an announcement for each size, in turns."""
    ids, times = IdGenerator(), [list[float]() for _ in sizes]
    for _ in range(ANNOUNCEMENTS):
        for size, found in zip(sizes, times, strict=True):
            started = time.perf_counter()
            await stars.standing(db, size.authors[0])
            await feeds.announce(ids.new(0), size.authors[0], MESSAGE)
            found.append((time.perf_counter() - started) * 1e3)
    return [statistics.median(found) for found in times]


async def _fan_out(db: Database, feeds: Feeds, author: int, photo: int) -> None:
    after = (-1, -1)
    while chunk := await follows.follower_ids(db, author, after=after, until=None, limit=CHUNK):
        inserted = await feeds.insert(photo, chunk, MESSAGE)
        assert inserted.feeds == len(chunk), "an insertion must change each feed"
        after = (shard_of(chunk[-1]), chunk[-1])
