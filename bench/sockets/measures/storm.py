"""A reconnect storm: many clients come back at once and recover, while others stay connected and receive publications.

The network of the many is cut, a photo reaches their feeds meanwhile, and then all of them return within a second. The
delays of regular publications to the clients that stayed are measured from the cut until the last client is back. The
yardstick is the same storm at a bare aiohttp handler on the same core, in turns with ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import aiohttp
import orjson

from bench.cores import Cores
from bench.report import COUNT, RATIO, Figure, figure, percentile, ratios
from bench.sockets.bare_server import PUBLISH
from bench.sockets.client.connect_attempts import ConnectSummary
from bench.sockets.client.live_clients import timestamped_document
from bench.sockets.client.remote import Remote
from bench.sockets.machine.bare_loop import bare_turn
from bench.sockets.server_process import state
from bench.sockets.service_stack import ServiceStack, service_stack
from channels.bus.envelope import stream_body
from tests.support.eventually import eventually
from workers.jobs.live.publications import NOTIFICATIONS

GOAL = 1.0
BARE = "a bare aiohttp handler"
INTERVAL = 0.05  # seconds between two publications
RECIPIENTS = 100  # of each
SPREAD = 1.0  # seconds
CALM = 3.0  # seconds
_AT_ONCE = 100
_DEADLINE = 120.0  # seconds for all to be back


Publish = Callable[[Sequence[int]], Awaitable[int]]  # to some users; returns how many of them are connected


@dataclass(frozen=True, kw_only=True)
class _Storm:
    """Delays before and during the storm, in milliseconds, and the summary of the reconnects."""

    calm: float
    p99: float
    longest: float
    returned: ConnectSummary


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of the two servers: its publish function, the clients that stay, and the clients that come back."""

    publish: Publish
    calm: Remote
    stormy: Remote
    staying: Sequence[int]


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return the delays at both servers, how long the storms lasted, what failed, and the longest stall."""
    staying, leaving, runs = (300, 1500, 2) if quick else (2000, 10_000, 3)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(service_stack(cores, staying + leaving))
        bare = await stack.enter_async_context(service.bare_server())
        http = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{bare.port}"))
        tokens = service.tokens(service.followers)
        sides = []
        for number, (server, publish) in enumerate(
            ((service.live, _publisher(service)), (bare, _bare_publisher(http)))
        ):
            calm = await stack.enter_async_context(service.clients(2 * number, server))
            stormy = await stack.enter_async_context(service.clients(2 * number + 1, server))
            await calm.call("connect_all", tokens[:staying], _AT_ONCE)
            await stormy.call("connect_all", tokens[staying:], _AT_ONCE)
            sides.append(_Side(publish=publish, calm=calm, stormy=stormy, staying=service.followers[:staying]))
        ours, theirs, turns = [], [], []
        for _ in range(runs):
            turns.append(await bare_turn(cores))
            ours.append(await _storm(sides[0], tokens[staying:], partial(_new_photo, service)))
            theirs.append(await _storm(sides[1], tokens[staying:], _nothing))
        now = await state(service.live.port)
    assert all(storm.returned.publications >= leaving for storm in ours), ours
    group = f"{leaving:,} come back, {staying:,} listen"
    return [*_delays(group, ours, theirs), *_returns(group, ours, theirs), *now.figures("in the storm", turns)]


def _delays(group: str, ours: Sequence[_Storm], theirs: Sequence[_Storm]) -> list[Figure]:
    ours_p99, theirs_p99 = [storm.p99 for storm in ours], [storm.p99 for storm in theirs]
    return [
        figure(group, "delay of the connected, p99", "ms", ours_p99),
        figure(group, f"the same at {BARE}", "ms", theirs_p99),
        figure(
            group,
            "ratio of both",
            RATIO,
            ratios(ours_p99, theirs_p99),
            at_most=GOAL,
            limit=f"{BARE} that verifies the same tokens, in a storm of as many clients",
        ),
        figure(group, "the longest", "ms", [storm.longest for storm in ours]),
        figure(group, f"the longest at {BARE}", "ms", [storm.longest for storm in theirs]),
        figure(group, "p99 before the storm", "ms", [storm.calm for storm in ours]),
    ]


def _returns(group: str, ours: Sequence[_Storm], theirs: Sequence[_Storm]) -> list[Figure]:
    returned = [storm.returned for storm in ours]
    unrecovered = [float(item.lost) for item in returned]
    failed = [float(sum(item.failures.values())) for item in returned]
    for reason, times in sorted({pair for item in returned for pair in item.failures.items()}):
        print(f"  failed attempts: {times} × {reason}")
    return [
        figure(group, "until all are back", "s", [item.seconds for item in returned]),
        figure(group, f"the same at {BARE}, without recovery", "s", [storm.returned.seconds for storm in theirs]),
        figure(group, "streams not recovered", COUNT, unrecovered, at_most=0, limit="no gap in a stream"),
        figure(group, "failed attempts", COUNT, failed),
    ]


async def _storm(side: _Side, tokens: list[str], meanwhile: Callable[[], Awaitable[None]]) -> _Storm:
    """Cut the connections of one side, run `meanwhile`, and let the clients come back."""
    trickle = _Trickle(side.publish, side.staying, side.calm)
    await side.calm.call("take_delays")
    flowing = asyncio.create_task(trickle.run())
    await asyncio.sleep(CALM)
    before = await trickle.delays()
    await side.stormy.call("disconnect_all")
    await meanwhile()
    returned: ConnectSummary = await side.stormy.call("reconnect_all", tokens, SPREAD, _DEADLINE)
    trickle.over = True
    await flowing
    during = await trickle.delays()
    return _Storm(
        calm=percentile(before, 0.99),
        p99=percentile(during, 0.99),
        longest=max(during),
        returned=returned,
    )


async def _new_photo(service: ServiceStack) -> None:
    await service.fan_out(await service.new_photo())


async def _nothing() -> None:
    """Do nothing: the bare handler has no feeds that a photo could reach."""


def _publisher(service: ServiceStack) -> Publish:
    async def publish(recipients: Sequence[int]) -> int:
        body = stream_body(NOTIFICATIONS, timestamped_document())
        online: int = await service.stores.publisher.to_users(recipients, body)
        return online

    return publish


def _bare_publisher(http: aiohttp.ClientSession) -> Publish:
    async def publish(recipients: Sequence[int]) -> int:
        publication = {"channel": NOTIFICATIONS, "pub": {"data": orjson.Fragment(timestamped_document())}}
        text = orjson.dumps({"push": publication}).decode()
        async with http.post(PUBLISH, data=orjson.dumps({"users": list(recipients), "text": text})) as response:
            return int(await response.text())

    return publish


class _Trickle:
    """Publishes regularly, each time to the next few clients, until `over`."""

    def __init__(self, publish: Publish, users: Sequence[int], clients: Remote) -> None:
        self._publish = publish
        self._users = users
        self._clients = clients
        self._sent = 0
        self.over = False

    async def run(self) -> None:
        """Publish; a late publication is not followed by additional ones."""
        at = 0
        while not self.over:
            recipients = self._users[at : at + RECIPIENTS]
            at = (at + RECIPIENTS) % len(self._users)
            self._sent += len(recipients)
            online = await self._publish(recipients)
            assert online == len(recipients), f"{len(recipients) - online} of the clients that stayed are not connected"
            await asyncio.sleep(INTERVAL)

    async def delays(self) -> list[float]:
        """Wait for everything sent since the last call, and return its delays in milliseconds."""
        sent, self._sent = self._sent, 0
        found: list[float] = []

        async def all_there() -> bool:
            found.extend(await self._clients.call("take_delays"))
            return len(found) >= sent

        await eventually(all_there, within=30)
        self._sent -= len(found) - sent
        return [delay * 1000 for delay in found]
