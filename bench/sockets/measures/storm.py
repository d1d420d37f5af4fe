"""A storm: many come back at once and recover, while others are connected and hear a steady trickle.

The network of the many is lost, a photo reaches their feeds meanwhile, then all of them return within a second. How
late the trickle is for those who stayed is measured from that loss until the last one is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cores import Cores
from bench.report import Figure, figure, percentile
from bench.sockets.client.arrivals import Arrived
from bench.sockets.client.people import sent_now
from bench.sockets.client.remote import Remote
from bench.sockets.under_test import state
from bench.sockets.world import World, world
from channels.bus.envelope import stream_body
from tests.support.eventually import eventually
from workers.jobs.publications import NOTIFICATIONS

GOAL = 250.0  # milliseconds
INTERVAL = 0.05  # seconds between two publications
RECIPIENTS = 100  # of each
SPREAD = 1.0  # seconds
CALM = 3.0  # seconds
_AT_ONCE = 100
_DEADLINE = 120.0  # seconds for all to be back


@dataclass(frozen=True, kw_only=True)
class _Storm:
    """Delays before and during it, in milliseconds, and what became of those who came back."""

    calm: float
    p99: float
    longest: float
    returned: Arrived


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return the delays, how long the storm lasted, what failed, and the longest stall."""
    staying, leaving, runs = (300, 1500, 1) if quick else (2000, 10_000, 3)
    async with world(cores, staying + leaving) as service, service.people(0) as calm, service.people(1) as stormy:
        await calm.call("enter", service.tokens(service.followers[:staying]), _AT_ONCE)
        tokens = service.tokens(service.followers[staying:])
        await stormy.call("enter", tokens, _AT_ONCE)
        storms = [await _storm(service, calm, stormy, tokens, staying) for _ in range(runs)]
        now = await state(service.live.port)
    group = f"{leaving:,} come back, {staying:,} listen"
    returned = [storm.returned for storm in storms]
    unrecovered = [float(item.lost) for item in returned]
    failed = [float(sum(item.failures.values())) for item in returned]
    for reason, times in sorted({pair for item in returned for pair in item.failures.items()}):
        print(f"  failed attempts: {times} × {reason}")
    return [
        figure(group, "delay of the connected, p99", "ms", [storm.p99 for storm in storms], at_most=GOAL),
        figure(group, "the longest", "ms", [storm.longest for storm in storms]),
        figure(group, "p99 before the storm", "ms", [storm.calm for storm in storms]),
        figure(group, "until everybody is back", "s", [item.seconds for item in returned]),
        figure(group, "streams not recovered", "", unrecovered, at_most=0),
        figure(group, "failed attempts", "", failed),
        *now.figures("in the storm"),
    ]


async def _storm(service: World, calm: Remote, stormy: Remote, tokens: list[str], staying: int) -> _Storm:
    trickle = _Trickle(service, service.followers[:staying], calm)
    await calm.call("take_delays")
    flowing = asyncio.create_task(trickle.run())
    await asyncio.sleep(CALM)
    before = await trickle.delays()
    await stormy.call("leave")
    await service.fan_out(await service.new_photo())
    returned: Arrived = await stormy.call("come_back", tokens, SPREAD, _DEADLINE)
    trickle.over = True
    await flowing
    during = await trickle.delays()
    assert returned.publications >= len(tokens), returned
    return _Storm(
        calm=percentile(before, 0.99),
        p99=percentile(during, 0.99),
        longest=max(during),
        returned=returned,
    )


class _Trickle:
    """Publish to some of the listeners after the other, regularly, until `over`."""

    def __init__(self, service: World, listeners: Sequence[int], clients: Remote) -> None:
        self._publisher = service.stores.publisher
        self._listeners = listeners
        self._clients = clients
        self._sent = 0
        self.over = False

    async def run(self) -> None:
        """Publish; a publication that is late is not made up for."""
        at = 0
        while not self.over:
            recipients = self._listeners[at : at + RECIPIENTS]
            at = (at + RECIPIENTS) % len(self._listeners)
            self._sent += len(recipients)
            online = await self._publisher.to_users(recipients, stream_body(NOTIFICATIONS, sent_now()))
            assert online == len(recipients), f"{len(recipients) - online} of those who stayed are not registered"
            await asyncio.sleep(INTERVAL)

    async def delays(self) -> list[float]:
        """Return the delays, in milliseconds, of all that was sent since the last question, once it has arrived."""
        sent, self._sent = self._sent, 0
        found: list[float] = []

        async def all_there() -> bool:
            found.extend(await self._clients.call("take_delays"))
            return len(found) >= sent

        await eventually(all_there, within=30)
        self._sent -= len(found) - sent
        return [delay * 1000 for delay in found]
