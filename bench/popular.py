"""Likes of a photo with 100,000 likers: what one costs, and what many at once cost another user.

The same likes of a photo without likers, or of many users' photos, are measured in the same rounds, in turns: so the
ratios show what the number of likers and the busy inbox add, and nothing else. All likers are in the owner's unread
notification. Every measured like is a new one: its traces are removed before the user likes the photo again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg

from bench.live_service import LiveSocket, live_service
from bench.report import RATIO, Figure, figure, percentile, ratios
from storage import ids
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import photograph

ONE, MANY = "one like → owner's socket", "60 likes at once, and one of another user's photo → its owner's socket"
BURST = 60
PAUSE = 0.02  # seconds between two likes: the service is idle when each begins
FLAT_GOAL = 1.2
LIMIT = "the same work without likers: nothing may depend on their number"
LIMIT_OTHERS = "the same likes of as many users' photos: nothing may depend on whose they are"

_LIKERS = """
INSERT INTO users (shard, id, username, email, password_hash, display_name)
SELECT i & 1023, i, 'liker' || i, 'liker' || i, '-', '' FROM generate_series(1, {count}) AS i;
INSERT INTO likes (shard, photo_id, user_id, version)
SELECT {photo} & 1023, {photo}, i, i FROM generate_series(1, {count}) AS i;
UPDATE photos SET likes = {count}, version = {count} WHERE id = {photo};
INSERT INTO notifications (shard, id, user_id, kind, photo_id, position, people, newest_actors)
SELECT shard, {entry}, author_id, 'like', {photo}, {entry}, {count}, ARRAY[{count}, {count} - 1, {count} - 2]
FROM photos WHERE id = {photo};
INSERT INTO notification_actors (shard, notification_id, actor_id, source_id, created_at)
SELECT {entry} & 1023, {entry}, i, {photo}, now() - ({count} - i) * interval '1 microsecond'
FROM generate_series(1, {count}) AS i;
"""
_FORGET = "DELETE FROM notification_actors WHERE retracted_at IS NOT NULL"


@dataclass(kw_only=True)
class _Delays:
    """One value a run, in milliseconds: without likers, or of many photos, and with likers."""

    without: list[float] = field(default_factory=list)
    likers: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """The users and photos: the owner's photo without likers (`quiet`) and the one with them (`popular`)."""

    connection: Any
    owner: ApiUser
    neighbour: ApiUser
    fans: Sequence[ApiUser]
    quiet: str
    popular: str
    neighbours: str
    photos: Sequence[str]  # one of each fan


async def measure(*, quick: bool) -> list[Figure]:
    """Return the delays of likes, of unlikes and of another user's like, and their ratios."""
    likers, runs, likes, bursts = (10_000, 2, 10, 2) if quick else (100_000, 7, 100, 7)
    given, taken, others = _Delays(), _Delays(), _Delays()
    async with (
        _scene(likers) as scene,
        aiohttp.ClientSession() as http,
        LiveSocket.connect(http, scene.owner) as owners,
        LiveSocket.connect(http, scene.neighbour) as neighbours,
    ):
        await _like_delays(scene, owners, 10, _Delays(), _Delays())
        for _ in range(runs):
            await _like_delays(scene, owners, likes, given, taken)
        for _ in range(bursts):
            others.without.append(await _burst_delay(scene, scene.photos, neighbours))
            others.likers.append(await _burst_delay(scene, [scene.popular] * BURST, neighbours))
    return [
        *_figures(ONE, f"with {likers:,} likers", "without likers", given, LIMIT),
        *_figures(ONE, f"the unlike, with {likers:,} likers", "the unlike, without likers", taken, LIMIT),
        *_figures(MANY, f"of one photo with {likers:,} likers", "of as many users' photos", others, LIMIT_OTHERS),
    ]


def _figures(group: str, name: str, yardstick: str, delays: _Delays, limit: str) -> list[Figure]:
    return [
        figure(group, name, "ms", delays.likers),
        figure(group, yardstick, "ms", delays.without),
        figure(
            group,
            f"{name} : {yardstick}",
            RATIO,
            ratios(delays.likers, delays.without),
            at_most=FLAT_GOAL,
            limit=limit,
        ),
    ]


async def _like_delays(scene: _Scene, owners: LiveSocket, count: int, given: _Delays, taken: _Delays) -> None:
    """Like and unlike both photos in turns, `count` times; add the medians of the run to `given` and `taken`."""
    delays: dict[tuple[str, str], list[float]] = {}
    for _ in range(count):
        # One after the other, so that both meet the same state of the machine.
        for photo in (scene.quiet, scene.popular):
            for method in ("PUT", "DELETE"):
                started = time.perf_counter()
                (await scene.fans[0].call(method, f"/photos/{photo}/like")).expect(200)
                delay = (await owners.until_notification() - started) * 1000
                delays.setdefault((photo, method), []).append(delay)
                await asyncio.sleep(PAUSE)
        await scene.connection.execute(_FORGET)
    for method, collected in (("PUT", given), ("DELETE", taken)):
        collected.without.append(percentile(delays[scene.quiet, method], 0.5))
        collected.likers.append(percentile(delays[scene.popular, method], 0.5))


async def _burst_delay(scene: _Scene, photos: Sequence[str], neighbours: LiveSocket) -> float:
    """Let each fan like a photo at once; return milliseconds from a like of the neighbour's photo to its socket."""
    probe = scene.owner

    async def each(method: str) -> None:
        await asyncio.gather(
            *(fan.call(method, f"/photos/{photo}/like") for fan, photo in zip(scene.fans[1:], photos, strict=True))
        )

    burst = asyncio.create_task(each("PUT"))
    await eventually(lambda: scene.connection.fetchval("SELECT count(*) > 5 FROM outbox WHERE queue = 'notify'"))
    started = time.perf_counter()
    (await probe.call("PUT", f"/photos/{scene.neighbours}/like")).expect(200)
    delay = (await neighbours.until_notification() - started) * 1000
    await burst
    await _handled(scene)
    await each("DELETE")
    (await probe.call("DELETE", f"/photos/{scene.neighbours}/like")).expect(200)
    await neighbours.until_notification()
    await _handled(scene)
    await scene.connection.execute(_FORGET)
    return delay


async def _handled(scene: _Scene) -> None:
    """Wait until all events are handled."""
    await eventually(lambda: scene.connection.fetchval("SELECT count(*) = 0 FROM outbox"), within=60)


@asynccontextmanager
async def _scene(likers: int) -> AsyncIterator[_Scene]:
    async with live_service() as service, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        connection = await asyncpg.connect(service.dsn)
        sign_up: Callable[[], Awaitable[ApiUser]] = lambda: ApiUser.sign_up(http, service.url)  # noqa: E731
        owner, neighbour, *fans = [await sign_up() for _ in range(BURST + 3)]
        photos = [(await user.upload(photograph()))["id"] for user in (owner, owner, neighbour, *fans[1:])]
        ready = "SELECT count(*) = $1 FROM photos WHERE state = 'ready'"
        await eventually(lambda: connection.fetchval(ready, len(photos)), within=120)
        quiet, popular, neighbours, *rest = photos
        photo_id = ids.decode(popular)
        entry_id = photo_id | (1 << 40)  # newer than the photo, and of the owner's shard
        await connection.execute(_LIKERS.format(count=likers, photo=photo_id, entry=entry_id))
        for table in ("users", "photos", "likes", "notifications", "notification_actors"):
            await connection.execute(f"VACUUM ANALYZE {table}")
        yield _Scene(
            connection=connection,
            owner=owner,
            neighbour=neighbour,
            fans=fans,
            quiet=quiet,
            popular=popular,
            neighbours=neighbours,
            photos=rest,
        )
        await connection.close()
