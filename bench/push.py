"""Push messages: from a like until its push arrives at the push service.

The service is a real `picshare run`; the push service is in this process, on the loopback interface. Each like is that
of a user who has not liked the photo before, and limits are as wide as settings allow. The yardstick is the least that
such a message takes: three transactions (the like, the entry of the inbox, the delivery) and one request on an open
connection.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from bench.live_service import live_service
from bench.report import RATIO, Figure, figure, percentile, ratios
from storage import ids
from storage.postgres.database import Database
from storage.stores.accounts import users
from tests.support.api_user import ApiUser
from tests.support.community import ready_photo
from tests.support.push import HOST, PushService, running_push_service
from workers.broker.routing import queues_of

GROUP = "push"
OWNERS = 10
PAUSE = 0.02  # seconds between two likes
TRANSACTIONS = 3
GOAL = 40.0
LIMIT = "three empty transactions and one request on an open connection: two seconds where that takes 50 ms"


@dataclass(frozen=True, kw_only=True)
class _Scene:
    db: Database
    http: aiohttp.ClientSession
    push: PushService
    arrived: asyncio.Event
    likes: Iterator[tuple[ApiUser, str]]  # pairs of a user and a photo, each once


@dataclass(kw_only=True)
class _Measured:
    likes: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)


async def measure(*, quick: bool) -> list[Figure]:
    """Return the delay at 95 of 100, with its ratio to the yardstick."""
    rounds, events = (2, 40) if quick else (5, 60)
    measured = _Measured()
    async with _scene(likers=rounds * events // OWNERS + 1) as scene:
        await _delays(scene, OWNERS)
        for _ in range(rounds):
            measured.floor.append(percentile(await _floor(scene, events), 0.95))
            measured.likes.append(percentile(await _delays(scene, events), 0.95))
    return [
        figure(GROUP, "like → push service, 95 of 100", "ms", measured.likes),
        figure(
            GROUP,
            "like → push service : transactions and request, 95 of 100",
            RATIO,
            ratios(measured.likes, measured.floor),
            at_most=GOAL,
            limit=LIMIT,
        ),
    ]


async def _delays(scene: _Scene, count: int) -> list[float]:
    """Return the milliseconds from the beginning of the request of each like to the arrival of its push."""
    delays = []
    for user, photo in itertools.islice(scene.likes, count):
        scene.arrived.clear()
        started = time.perf_counter()
        (await user.call("PUT", f"/photos/{photo}/like")).expect(200)
        async with asyncio.timeout(30):
            await scene.arrived.wait()
        delays.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


async def _floor(scene: _Scene, count: int) -> list[float]:
    """Return the milliseconds of empty transactions that are flushed to disk, and of a request."""
    delays = []
    for _ in range(count):
        started = time.perf_counter()
        for _ in range(TRANSACTIONS):
            await scene.db.fetchval("SELECT pg_logical_emit_message(true, 'bench', '')")
        async with scene.http.post(f"{scene.push.origin}/floor", data=b"x" * 400) as response:
            await response.read()
        delays.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


@asynccontextmanager
async def _scene(*, likers: int) -> AsyncIterator[_Scene]:
    async with AsyncExitStack() as stack:
        push = await stack.enter_async_context(running_push_service())
        arrived = asyncio.Event()

        def accept(_: str) -> web.Response:
            arrived.set()
            return web.Response(status=201)

        push.respond = accept
        service = await stack.enter_async_context(
            live_service(
                env={
                    "PICSHARE_OUTBOUND__ALLOW_HTTP": "true",
                    "PICSHARE_OUTBOUND__PORTS": str(push.server.port),
                    "PICSHARE_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.1/32",
                    "PICSHARE_PUSH__HOSTS": HOST,
                    "PICSHARE_NOTIFICATIONS__PUSHES_PER_HOUR": "1000",
                    "PICSHARE_NOTIFICATIONS__PUSH_PAUSE_MINUTES": "0",
                }
            )
        )
        db = await Database.connect(service.dsn, routes=queues_of, min_size=2, max_size=4)
        stack.push_async_callback(db.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        photos = [await _photo(db, await ApiUser.sign_up(http, service.url), push) for _ in range(OWNERS)]
        fans = [await ApiUser.sign_up(http, service.url) for _ in range(likers + 1)]
        # Photo after photo, so that the pushes of one owner are far apart.
        likes = itertools.product(fans, photos)
        yield _Scene(db=db, http=http, push=push, arrived=arrived, likes=likes)


async def _photo(db: Database, owner: ApiUser, push: PushService) -> str:
    """Subscribe a browser of a user, and return a photo of the user."""
    (await owner.call("POST", "/push/subscriptions", json=push.browser(owner.name).json())).expect(201)
    return ids.encode((await ready_photo(db, await users.get(db, ids.decode(owner.id)))).id)
