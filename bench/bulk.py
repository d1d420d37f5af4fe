"""Latency of live delivery to others while one user's bulk work is under way, against the same service when it is idle.

The service is a real `picshare run`, once with the broker in PostgreSQL and once with RabbitMQ. In each round the
same two users, who have nothing to do with the bulk work, like and upload: first on the idle service, then from
the request that starts the work until its rows say that it is done.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.bulk_work import WORK, Work
from bench.live import LIKES, UPLOADS, like_delays, upload_delays
from bench.live_service import LiveSocket, live_service
from bench.report import RATIO, Figure, figure, percentile, ratios
from storage.postgres.database import Database
from tests.engines.rabbitmq import rabbit_node
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph
from workers.broker.routing import queues_of

BROKERS = ("local", "RabbitMQ")
GOAL = 2.0
LIMIT = "the same service when it is idle, in the same round: the share of a second user who is as busy"
LIKES_AT_ONCE, UPLOADS_AT_ONCE = 10, 4  # between two looks at the work
# An account is deleted at once, and not after the days in which its user can return.
ENV = {"PICSHARE_ACCOUNTS__DELETION_GRACE": "0"}
LEAST = 5  # looks in which the idle service is measured
# Looks in a row at which a queue is empty when the work is done. RabbitMQ does not count a message in progress; that of
# a batch is followed by the next one in far less than a second.
LOOK, AT_MOST = 0.1, 600.0  # seconds between two looks at whether the work is done, and until it must be


@dataclass(frozen=True, kw_only=True)
class Round:
    """Medians of one round in milliseconds, and the seconds that the work took."""

    like: float
    upload: float
    seconds: float


class Scene:
    """A running service, and the users whose delays are measured."""

    def __init__(self, url: str, http: aiohttp.ClientSession, db: Database, *, owner: ApiUser, fan: ApiUser) -> None:
        self.db = db
        self._url = url
        self._http = http
        self._owner = owner
        self._fan = fan
        self._photo = ""
        self._sockets: tuple[LiveSocket, LiveSocket] | None = None

    async def open(self, owners: LiveSocket, fans: LiveSocket) -> None:
        """Post the photo that is liked."""
        self._sockets = owners, fans
        self._photo = (await self._owner.upload(photograph()))["id"]
        await fans.until("photo.new", self._photo)
        await self._delays(2)

    async def new_user(self) -> ApiUser:
        """Sign up another user."""
        return await ApiUser.sign_up(self._http, self._url)

    async def idle(self) -> Round:
        """Measure while nothing else happens."""
        return await self._delays(LEAST)

    async def meanwhile(self, work: Work) -> Round:
        """Start bulk work, and measure until it is done."""
        started = time.perf_counter()
        starting = asyncio.create_task(work.start())
        done = asyncio.create_task(self._wait_until_done(starting, work))
        measured = await self._delays(1, until=done)
        return Round(like=measured.like, upload=measured.upload, seconds=await done - started)

    async def _wait_until_done(self, starting: asyncio.Task[None], work: Work) -> float:
        """Return when the work is done, on the clock of `time.perf_counter`."""
        await starting
        async with asyncio.timeout(AT_MOST):
            while True:
                if await work.done():
                    return time.perf_counter()
                await asyncio.sleep(LOOK)

    async def _delays(self, least: int, *, until: asyncio.Task[float] | None = None) -> Round:
        assert self._sockets is not None
        owners, fans = self._sockets
        likes: list[float] = []
        uploads: list[float] = []
        started, turns = time.perf_counter(), 0
        while turns < least or (until is not None and not until.done()):
            likes += await like_delays(self._fan, self._photo, owners, LIKES_AT_ONCE)
            uploads += await upload_delays(self._owner, fans, UPLOADS_AT_ONCE)
            turns += 1
        return Round(
            like=percentile(likes, 0.5), upload=percentile(uploads, 0.5), seconds=time.perf_counter() - started
        )


async def measure(*, quick: bool) -> list[Figure]:
    """Return p50 of both ways for each kind of work and broker, idle and meanwhile, and their ratios."""
    figures: list[Figure] = []
    for broker in BROKERS:
        async with _scene(broker) as scene:
            for name, prepare in WORK:
                idle, busy = [], []
                for _ in range(1 if quick else 3):
                    work = await prepare(scene.db, scene.new_user)
                    idle.append(await scene.idle())
                    busy.append(await scene.meanwhile(work))
                figures += _figures(f"{name} ({broker})", idle, busy)
    return figures


def _figures(group: str, idle: Sequence[Round], busy: Sequence[Round]) -> list[Figure]:
    found = [figure(group, "duration of the work", "s", [each.seconds for each in busy])]
    ways: tuple[tuple[str, Callable[[Round], float]], ...] = (
        (LIKES, lambda each: each.like),
        (UPLOADS, lambda each: each.upload),
    )
    for name, of in ways:
        before, meanwhile = [of(each) for each in idle], [of(each) for each in busy]
        found += [
            figure(group, f"{name}, p50, idle", "ms", before),
            figure(group, f"{name}, p50, meanwhile", "ms", meanwhile),
            figure(group, f"{name}, to idle", RATIO, ratios(meanwhile, before), at_most=GOAL, limit=LIMIT),
        ]
    return found


@asynccontextmanager
async def _scene(broker: str) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        node = stack.enter_context(rabbit_node(folder)) if broker == "RabbitMQ" else None
        service = await stack.enter_async_context(live_service(node.url if node else "local:", env=ENV))
        db = await Database.connect(service.dsn, routes=queues_of, max_size=4)
        stack.push_async_callback(db.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        owner, fan = await ApiUser.sign_up(http, service.url), await ApiUser.sign_up(http, service.url)
        await fan.follow(owner)
        owners = await stack.enter_async_context(LiveSocket.connect(http, owner))
        fans = await stack.enter_async_context(LiveSocket.connect(http, fan))
        scene = Scene(service.url, http, db, owner=owner, fan=fan)
        await scene.open(owners, fans)
        yield scene
