"""Connects a second: handshake, token, both streams' positions, registration, reply, for people with a feed.

What counts is the server's own CPU, since its core would otherwise wait for clients and engines that share another:
connects for each second of it are what one core does. The rate by the clock, on this machine, stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.cores import Cores
from bench.report import Figure, figure
from bench.sockets.client.arrivals import Arrived
from bench.sockets.client.remote import Remote
from bench.sockets.machine.usage import cpu_seconds
from bench.sockets.under_test import state
from bench.sockets.world import World, world
from tests.support.eventually import eventually

GOAL = 1500.0
AT_ONCE = 200
GROUP = "authenticated connects"


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return both rates, that of first connects, and the longest stall."""
    people, rounds = (1000, 3) if quick else (5000, 5)
    async with world(cores, people) as service, service.people(0) as clients:
        first = await _rates(service, clients)
        rates = [await _rates(service, clients) for _ in range(rounds)]
        now = await state(service.live.port)
    failed = sum(rate.failed for rate in (first, *rates))
    return [
        figure(GROUP, "for each second of the server's core", "/s", [rate.core for rate in rates], at_least=GOAL),
        figure(GROUP, "by the clock, engines and clients on the other core", "/s", [rate.clock for rate in rates]),
        figure(GROUP, "first ones, whose feeds have to be built", "/s", [first.core]),
        figure(GROUP, "attempts that failed and were repeated", "", [failed], at_most=0),
        *now.figures(f"{AT_ONCE} connecting at a time"),
    ]


@dataclass(frozen=True, kw_only=True)
class _Rates:
    """Connects for each second of the server's CPU, and for each second of the clock; how many attempts failed."""

    core: float
    clock: float
    failed: int


async def _rates(service: World, clients: Remote) -> _Rates:
    """Connect everybody with tokens that are new to the server."""
    tokens = service.tokens(service.followers)
    await clients.call("leave")

    async def all_gone() -> bool:
        return (await state(service.live.port)).connections == 0

    await eventually(all_gone, within=60)
    used = cpu_seconds(service.live.pid)
    arrived: Arrived = await clients.call("enter", tokens, AT_ONCE)
    return _Rates(
        core=len(tokens) / (cpu_seconds(service.live.pid) - used),
        clock=len(tokens) / arrived.seconds,
        failed=sum(arrived.failures.values()),
    )
