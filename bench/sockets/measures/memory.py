"""Memory of idle connections with both streams: of the process, and of the kernel.

The cost of one connection is the growth from few connections to many, divided by the difference, so the fixed memory of
the process is not included. The kernel's growth is that of the whole machine: both ends of each connection and the
clients' epoll entries are here.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.cores import Cores
from bench.report import RATIO, Figure, figure
from bench.sockets.machine.bare_loop import bare_turn
from bench.sockets.machine.usage import cpu_seconds, kernel_memory, resident_bytes
from bench.sockets.server_process import State, state
from bench.sockets.service_stack import ServiceStack, service_stack

GOAL = 1.0
WANTED = 20_000
SPARE_FILES = 1_000  # of a process: engines, logs, listening sockets
_AT_ONCE = 100
_CLIENTS = 2  # processes, each with a loopback address of its own
_IDLE = 0.1  # share of a core: pings go on
_SETTLE_DEADLINE = 30.0  # seconds


@dataclass(frozen=True, kw_only=True)
class _Growth:
    """Bytes for each connection, and the state of the process at the end."""

    process: float
    slab: float
    buffers: float
    state: State
    turn: float  # milliseconds of a bare loop, measured before the connections came


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return kilobytes for each connection, in a fresh process for each run."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = min(2_000 if quick else WANTED, limit - SPARE_FILES)
    growths = [await _growth(cores, many // 10, many) for _ in range(1 if quick else 2)]
    group = f"{many:,} idle connections"
    worst = max((growth.state for growth in growths), key=lambda state: state.stall)
    return [
        figure(group, "resident, for each", "KB", [growth.process / 1024 for growth in growths]),
        figure(group, "kernel objects, both ends and clients", "KB", [growth.slab / 1024 for growth in growths]),
        figure(group, "kernel socket buffers, both ends", "KB", [growth.buffers / 1024 for growth in growths]),
        figure(
            group,
            "resident : kernel objects",
            RATIO,
            [growth.process / growth.slab for growth in growths],
            at_most=GOAL,
            limit="what the kernel itself keeps for the same connection, which no server can avoid",
        ),
        *worst.figures(f"{many:,} connecting", [growth.turn for growth in growths]),
    ]


async def _growth(cores: Cores, few: int, many: int) -> _Growth:
    async with service_stack(cores, many) as service, AsyncExitStack() as stack:
        turn = await bare_turn(cores)
        clients = [await stack.enter_async_context(service.clients(number)) for number in range(1 + _CLIENTS)]
        await clients[0].call("connect_all", service.tokens(service.followers[:few]), _AT_ONCE)
        await _settle(service)
        process, kernel = resident_bytes(service.live.pid), kernel_memory()
        for client, share in zip(clients[1:], _shares(service.tokens(service.followers[few:])), strict=True):
            await client.call("connect_all", share, _AT_ONCE)
        await _settle(service)
        grown, after = resident_bytes(service.live.pid), kernel_memory()
        now = await state(service.live.port)
        assert now.connections == many, now
    came = many - few
    return _Growth(
        process=(grown - process) / came,
        slab=(after.slab - kernel.slab) / came,
        buffers=(after.buffers - kernel.buffers) / came,
        state=now,
        turn=turn,
    )


def _shares(tokens: list[str]) -> list[list[str]]:
    size = -(-len(tokens) // _CLIENTS)
    return [tokens[start : start + size] for start in range(0, len(tokens), size)]


async def _settle(service: ServiceStack) -> None:
    """Wait until the server is idle except for pings."""
    async with asyncio.timeout(_SETTLE_DEADLINE):
        busy = 1.0
        while busy > _IDLE:
            before = cpu_seconds(service.live.pid)
            await asyncio.sleep(0.5)
            busy = (cpu_seconds(service.live.pid) - before) / 0.5
