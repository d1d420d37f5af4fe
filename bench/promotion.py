"""The promotion of an author with a million followers to a star, and how long others' photos take meanwhile.

The service is a real `picshare run`. The followers are rows with a short feed each in Redis. Another author's photos
are committed as ready, one after the other, first on the idle service and then until the promotion is complete. What
counts is the time until the follower's socket has each: that of the queue, the fan-out and the delivery.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bench.crowd import add_followers, member
from bench.crowd_feeds import fill_feeds
from bench.live_service import LiveSocket, live_service
from bench.report import RATIO, Figure, figure, percentile, ratios
from server.composition.delivery import delivery_script
from storage import ids
from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.models import StarState
from storage.postgres.database import Database
from storage.redis.client import open_redis
from storage.stores.social import stars
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.gallery import Gallery
from workers.broker.routing import queues_of

GROUP = "promotion of an author with {followers:,} followers"
GOAL = 2.0
PAUSE = 0.01  # seconds between two photos
AT_MOST = 600.0  # seconds
LIMIT = "the same photos on the idle service in the same round: the share of a second user who is as busy"


@dataclass(kw_only=True)
class _Measured:
    """One value a round: delays in milliseconds, and the seconds of the promotion."""

    idle: list[tuple[float, float]] = field(default_factory=list)
    busy: list[tuple[float, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Scene:
    db: Database
    author: int  # of the photos whose delays are measured
    star: ApiUser
    fan: LiveSocket
    gallery: Gallery


async def measure(*, quick: bool) -> list[Figure]:
    """Return p50 and p99 of others' photos, idle and meanwhile, their ratios, and the duration."""
    followers, rounds, photos = (20_000, 1, 100) if quick else (1_000_000, 2, 500)
    measured = _Measured()
    for _ in range(rounds):
        async with _scene(followers) as scene:
            await _delays(scene, 10)
            measured.idle.append(_p50_and_p99(await _delays(scene, photos)))
            started = time.perf_counter()
            await _begin(scene)
            promoting = asyncio.create_task(_until_promoted(scene))
            measured.busy.append(_p50_and_p99(await _delays(scene, 1, until=promoting)))
            measured.seconds.append(await promoting - started)
    return _figures(measured, followers)


def _figures(measured: _Measured, followers: int) -> list[Figure]:
    group = GROUP.format(followers=followers)
    figures = [figure(group, "until it is complete", "s", measured.seconds)]
    for place, name in enumerate(("p50", "p99")):
        idle, busy = [each[place] for each in measured.idle], [each[place] for each in measured.busy]
        figures += [
            figure(group, f"others' photos, {name}, idle", "ms", idle),
            figure(group, f"others' photos, {name}, meanwhile", "ms", busy),
            figure(group, f"others' photos, {name}, to idle", RATIO, ratios(busy, idle), at_most=GOAL, limit=LIMIT),
        ]
    return figures


def _p50_and_p99(delays: list[float]) -> tuple[float, float]:
    return percentile(delays, 0.5), percentile(delays, 0.99)


async def _delays(scene: _Scene, least: int, *, until: asyncio.Task[float] | None = None) -> list[float]:
    """Return the milliseconds from the commit of each photo to the follower's socket.

    There are `least` photos, and as many more as are posted until a task ends.
    """
    delays: list[float] = []
    while len(delays) < least or (until is not None and not until.done()):
        photo = await scene.gallery.photo(scene.author)
        committed = time.perf_counter()
        delays.append((await scene.fan.until("photo.new", ids.encode(photo)) - committed) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


async def _begin(scene: _Scene) -> None:
    star = ids.decode(scene.star.id)
    async with scene.db.transaction() as tx:
        await stars.begin(tx, star, StarState.PROMOTING, after=await stars.standing(scene.db, star))


async def _until_promoted(scene: _Scene) -> float:
    """Return when the promotion is complete, on the clock of `time.perf_counter`."""

    async def promoted() -> bool:
        return (await stars.standing(scene.db, ids.decode(scene.star.id))).state is StarState.STAR

    await eventually(promoted, within=AT_MOST)
    return time.perf_counter()


@asynccontextmanager
async def _scene(followers: int) -> AsyncIterator[_Scene]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(live_service())
        db = await Database.connect(service.dsn, routes=queues_of, max_size=4)
        stack.push_async_callback(db.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        author, star, fan = [await ApiUser.sign_up(http, service.url) for _ in range(3)]
        await fan.follow(author)
        redis = open_redis(service.redis_url)
        stack.push_async_callback(redis.aclose)
        await add_followers(db, ids.decode(star.id), followers)
        feeds = Feeds(db, redis, Cards(db, redis), delivery_script(redis))
        await fill_feeds(redis, feeds, [member(number) for number in range(1, followers + 1)])
        socket = await stack.enter_async_context(LiveSocket.connect(http, fan))
        yield _Scene(db=db, author=ids.decode(author.id), star=star, fan=socket, gallery=Gallery(db))
