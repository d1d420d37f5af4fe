"""Fan-out on write: read followers from PostgreSQL, insert a photo into their feeds in Redis, find the online ones.

One worker process against a real `redis-server`. The yardsticks are measured in the same rounds, with the same client
and the same followers: pipelined ZADDs into sorted sets, the usual way to store feeds, with the necessary trim; and one
pipelined SETRANGE of 16 bytes for each feed, the least that a feed in Redis can cost when each is written by a command.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.followers import create_author
from bench.report import RATIO, Figure, figure, ratios
from channels.bus.addressing import channel_prefix, registry_key
from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.embedded.postgres import embedded_postgres
from storage.feeds.feeds import Feeds
from storage.ids import IdGenerator, shard_of, slot_group
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from storage.redis.client import open_redis
from storage.stores.social import follows
from tests.engines.private import redis_server
from tests.support.driver_commands import driver_client
from workers.broker.routing import queues_of

FOLLOWERS = 10_000
ONLINE_SHARE = 20  # every twentieth follower holds a connection
CHUNK = 1000
FULL = 500
ENTRY_BYTES = 16
SETTLED = 7  # seconds
GROUP = "fan-out on write"


async def measure(*, quick: bool) -> list[Figure]:
    """Return insertions a second, the ratios to ZADD and SETRANGE, and the memory of a full feed."""
    runs, photos = (3, 8) if quick else (7, 24)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis = open_redis(stack.enter_context(redis_server(folder / "redis")))
        stack.push_async_callback(redis.aclose)
        await migrate(dsn)
        db = await Database.connect(dsn, routes=queues_of)
        stack.push_async_callback(db.close)
        author, followers = await create_author(db, FOLLOWERS)
        feeds = Feeds(db, redis, Cards(db, redis), delivery_script(redis))
        driver = driver_client(redis)
        stack.push_async_callback(driver.aclose)
        await _go_online(driver, followers)
        ids = IdGenerator()
        await _fill(feeds, followers, ids)
        # For a few seconds after a feed is built, insertions verify the follow again; that is not the normal case.
        await asyncio.sleep(SETTLED)
        rates, zadd_rates, setrange_rates = [], [], []
        for _ in range(runs):
            new = [ids.new(0) for _ in range(photos)]
            rates.append(await _fan_out(db, feeds, author, new))
            zadd_rates.append(await _pipelined(db, driver, author, new, _zadd))
            setrange_rates.append(await _pipelined(db, driver, author, new, _setrange))
        sizes = await _sizes(driver, feeds, followers[:50], ids)
    return _figures(rates, zadd_rates, setrange_rates, sizes)


def _figures(
    rates: list[float], zadd_rates: list[float], setrange_rates: list[float], sizes: list[float]
) -> list[Figure]:
    return [
        figure(GROUP, "feed insertions, online followers found and notified", "/s", rates),
        figure(GROUP, "pipelined ZADD + trim, nothing else", "/s", zadd_rates),
        figure(GROUP, "pipelined SETRANGE, nothing else", "/s", setrange_rates),
        figure(
            GROUP,
            "ratio to pipelined ZADD",
            RATIO,
            ratios(rates, zadd_rates),
            at_least=2.0,
            limit="twice the rate of the usual way to store feeds, which finds and notifies no follower",
        ),
        figure(
            GROUP,
            "ratio to one SETRANGE per feed",
            RATIO,
            ratios(rates, setrange_rates),
            at_least=1.0,
            limit="one command of 16 bytes per feed: the least work where each feed is a command of its own",
        ),
        figure(
            GROUP,
            f"memory of a full feed, as a multiple of {FULL} entries of {ENTRY_BYTES} bytes",
            RATIO,
            [size / (FULL * ENTRY_BYTES) for size in sizes],
            at_most=1.25,
            limit="the entries themselves; a quarter is left for the header and Redis' rounding of sizes",
        ),
    ]


async def _go_online(driver: Any, followers: list[int]) -> None:
    for user in followers[::ONLINE_SHARE]:
        await driver.hset(registry_key(slot_group(user)).decode(), user.to_bytes(8, "big"), b"process1")
    # Without a subscriber the process counts as dead, and its users as offline.
    listener = driver.pubsub()
    await listener.subscribe(*[channel_prefix(group) + b"process1" for group in range(16)])


async def _fill(feeds: Feeds, followers: list[int], ids: IdGenerator) -> None:
    """Fill the feed of each follower up to the length at which the next insertion trims it."""
    old = [ids.new(0) for _ in range(FULL)]
    for user in followers:
        building = await feeds.log.begin(user)
        await feeds.log.fill(user, building, old, complete=False)


async def _chunks(db: Database, author: int) -> list[list[int]]:
    after, chunks = (-1, -1), []
    while chunk := await follows.follower_ids(db, author, after=after, until=None, limit=CHUNK):
        chunks.append(chunk)
        after = (shard_of(chunk[-1]), chunk[-1])
    return chunks


async def _fan_out(db: Database, feeds: Feeds, author: int, photos: list[int]) -> float:
    message = b"x" * 900
    inserted, started = 0, time.perf_counter()
    for photo in photos:
        for chunk in await _chunks(db, author):
            inserted += (await feeds.insert(photo, chunk, message)).feeds
    return inserted / (time.perf_counter() - started)


Command = Callable[[Any, int, int], None]  # adds one user's commands for one photo to a pipeline


async def _pipelined(db: Database, driver: Any, author: int, photos: list[int], add: Command) -> float:
    """Return insertions a second with one pipeline per chunk; the followers are read from PostgreSQL as above."""
    inserted, started = 0, time.perf_counter()
    for photo in photos:
        for chunk in await _chunks(db, author):
            pipeline = driver.pipeline(transaction=False)
            for user in chunk:
                add(pipeline, user, photo)
            await pipeline.execute()
            inserted += len(chunk)
    return inserted / (time.perf_counter() - started)


def _zadd(pipeline: Any, user: int, photo: int) -> None:
    key = f"z:{user}"
    pipeline.zadd(key, {photo.to_bytes(8, "big"): photo >> 22})
    pipeline.zremrangebyrank(key, 0, -FULL - 1)


def _setrange(pipeline: Any, user: int, photo: int) -> None:
    pipeline.setrange(f"s:{user}", photo % FULL * ENTRY_BYTES, photo.to_bytes(ENTRY_BYTES, "big"))


async def _sizes(driver: Any, feeds: Feeds, users: list[int], ids: IdGenerator) -> list[float]:
    """Return the sizes of full feeds between further insertions, so that growth and trimming are included."""
    sizes = []
    for user in _rounds(users, 4):
        await feeds.insert(ids.new(0), [user], b"x")
        sizes.append(float(await driver.memory_usage(feeds.log.key(user).decode(), samples=0) or 0))
    return sizes


def _rounds(users: list[int], times: int) -> Iterator[int]:
    for _ in range(times):
        yield from users
