"""Connects a second: handshake, token, positions of both streams, registration and reply, for users with a feed.

The unit is connects for each second of the server's CPU time, which is what one core does: the clients and the engines
share the other core, and the server's core would wait for them. The yardstick is a bare aiohttp handler on the same
core that verifies the same tokens, with as many clients in the same rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.cores import Cores
from bench.report import COUNT, RATIO, Figure, figure, ratios
from bench.sockets.client.connect_attempts import ConnectSummary
from bench.sockets.client.remote import Remote
from bench.sockets.machine.bare_loop import bare_turn
from bench.sockets.machine.usage import cpu_seconds
from bench.sockets.server_process import state
from bench.sockets.service_stack import ServerUnderTest, service_stack
from tests.support.eventually import eventually

GOAL = 0.45
AT_ONCE = 200
GROUP = "authenticated connects"


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return the rates of the service and of the bare handler, their ratio, and the longest stall."""
    users, rounds = (1000, 3) if quick else (5000, 5)
    rates, bare_rates, turns = [], [], []
    async with (
        service_stack(cores, users) as service,
        service.bare_server() as bare,
        service.clients(0) as clients,
        service.clients(1, bare) as bare_clients,
    ):
        first = await _rates(service.live, clients, service.tokens(service.followers))
        await _rates(bare, bare_clients, service.tokens(service.followers))
        for _ in range(rounds):
            tokens = service.tokens(service.followers)
            rates.append(await _rates(service.live, clients, tokens))
            bare_rates.append(await _rates(bare, bare_clients, tokens))
            turns.append(await bare_turn(cores))
        now = await state(service.live.port)
    failed = sum(rate.failed for rate in (first, *rates))
    ours, theirs = [rate.core for rate in rates], [rate.core for rate in bare_rates]
    return [
        figure(GROUP, "for each second of the server's core", "/s", ours),
        figure(GROUP, "a bare aiohttp handler that verifies the same token", "/s", theirs),
        figure(
            GROUP,
            "ratio to the bare handler",
            RATIO,
            ratios(ours, theirs),
            at_least=GOAL,
            limit="aiohttp's handshake and one token, without streams, positions, registration, limits or metrics",
        ),
        figure(GROUP, "by the clock, engines and clients on the other core", "/s", [rate.clock for rate in rates]),
        figure(GROUP, "first connects, whose feeds have to be built", "/s", [first.core]),
        figure(GROUP, "attempts that failed and were repeated", COUNT, [failed], at_most=0, limit="no refusal"),
        *now.figures(f"{AT_ONCE} connecting at a time", turns),
    ]


@dataclass(frozen=True, kw_only=True)
class _Rates:
    """Connects for each second of the server's CPU, and for each second of the clock; how many attempts failed."""

    core: float
    clock: float
    failed: int


async def _rates(server: ServerUnderTest, clients: Remote, tokens: list[str]) -> _Rates:
    """Connect one client for each token, once those of the round before have gone."""
    await clients.call("disconnect_all")

    async def all_gone() -> bool:
        return (await state(server.port)).connections == 0

    await eventually(all_gone, within=60)
    used = cpu_seconds(server.pid)
    arrived: ConnectSummary = await clients.call("connect_all", tokens, AT_ONCE)
    return _Rates(
        core=len(tokens) / (cpu_seconds(server.pid) - used),
        clock=len(tokens) / arrived.seconds,
        failed=sum(arrived.failures.values()),
    )
