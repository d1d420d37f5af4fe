"""Processor time of one keep-alive round: the ping to an idle connection and its pong.

From the process whose connections are pinged often, the same process with as many connections and no pings is
subtracted. The yardstick, on the same core in the same rounds, is a bare epoll loop with one send and one read for each
round. Clients answer 10 to 110 milliseconds after a ping, so that pongs arrive one by one as they do in a network.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from bench.cores import Cores, assign_cores, raise_file_limit
from bench.keepalive import bare_loop
from bench.keepalive.clients import PingClients
from bench.report import RATIO, Figure, figure, ratios
from bench.sockets import server_process
from bench.sockets.client.frames import client_frame
from bench.sockets.client.handshake import Opening, Step
from bench.sockets.client.remote import Remote, remote
from bench.sockets.machine.processes import accepts_connections, run_redis, run_server
from bench.sockets.machine.usage import cpu_seconds
from tests.engines.private import free_port

GROUP = "keep-alive round of an idle connection"
INTERVAL = 2.5  # seconds between two pings of a connection: with 5,000 of them the rate of a process with 50,000
GOAL = 1.5
_NEVER = 1e9  # seconds


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """A server with its idle clients."""

    pid: int
    clients: Remote

    async def window(self, seconds: float) -> tuple[int, float]:
        """Return the rounds within a time, and the processor seconds that the server used meanwhile."""
        before = cpu_seconds(self.pid)
        rounds: int = await self.clients.call("rounds", seconds)
        return rounds, cpu_seconds(self.pid) - before


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds of both for each round, and their ratio."""
    sockets, runs, seconds = (1000, 3, 3.0) if quick else (5000, 7, 10.0)
    raise_file_limit()
    cores = assign_cores(os.sched_getaffinity(0))
    ours, theirs = [], []
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.other_cores_only())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        redis_port = await stack.enter_async_context(run_redis(folder))
        pinging = await stack.enter_async_context(_service(cores, folder, redis_port, 10, INTERVAL))
        idle = await stack.enter_async_context(_service(cores, folder, redis_port, 11, _NEVER))
        bare = await stack.enter_async_context(_bare(cores, folder, 12))
        for subject in (pinging, idle, bare):
            await subject.clients.call("connect", sockets, bare_loop.PING)
        for number in range(runs + 1):
            (rounds, used), (none, base), (bare_rounds, bare_used) = await asyncio.gather(
                pinging.window(seconds), idle.window(seconds), bare.window(seconds)
            )
            assert min(rounds, bare_rounds) > none == 0, (rounds, bare_rounds, none)
            if number:  # the first run warms up
                ours.append((used - base) / rounds * 1e6)
                theirs.append(bare_used / bare_rounds * 1e6)
    return [
        figure(GROUP, "the service", "µs", ours),
        figure(GROUP, "a bare epoll loop: one send, one read", "µs", theirs),
        figure(
            GROUP,
            "ratio to the bare loop",
            RATIO,
            ratios(ours, theirs),
            at_most=GOAL,
            limit="one send and one read in Python, without frames, deadlines, limits or metrics",
        ),
    ]


@asynccontextmanager
async def _service(
    cores: Cores, folder: Path, redis_port: int, address: int, interval: float
) -> AsyncIterator[_Subject]:
    port = free_port()
    environment = {
        "PICSHARE_REDIS__URL": f"redis://127.0.0.1:{redis_port}",
        "PICSHARE_LOG__LEVEL": "warning",
        "PICSHARE_LIVE__PING_INTERVAL": str(interval),
        "PICSHARE_LIVE__PONG_DEADLINE": str(min(interval, INTERVAL) * 0.8),
    }
    command = server_process.command("bench.sockets.server", ["memory", str(port)], environment)
    async with (
        run_server(
            cores.on_server_core(command),
            name=f"server-{address}",
            folder=folder,
            ready=lambda: server_process.is_ready(port),
        ) as pid,
        _clients(port, address, server_process.OPENING, _connect) as clients,
    ):
        yield _Subject(pid=pid, clients=clients)


@asynccontextmanager
async def _bare(cores: Cores, folder: Path, address: int) -> AsyncIterator[_Subject]:
    port = free_port()
    command = cores.on_server_core([sys.executable, "-m", bare_loop.__name__, str(port), str(INTERVAL)])
    opening = Opening(ping=b"{}", pong=client_frame(b"{}"))
    async with (
        run_server(command, name="bare", folder=folder, ready=lambda: accepts_connections(port)) as pid,
        _clients(port, address, opening, _greeted) as clients,
    ):
        yield _Subject(pid=pid, clients=clients)


@asynccontextmanager
async def _clients(
    port: int, address: int, opening: Opening, steps: Callable[[int], Sequence[Step]]
) -> AsyncIterator[Remote]:
    make = partial(PingClients, opening=opening, steps=steps, port=port, source=f"127.0.0.{address}")
    async with remote(make) as proxy:
        yield proxy


def _connect(number: int) -> Sequence[Step]:
    """Return the step that connects a client as a user of its own."""
    frame = client_frame(orjson.dumps({"id": 1, "connect": {"token": str(number + 1)}}))
    return (Step(frame, b'"connect"'),)


def _greeted(_number: int) -> Sequence[Step]:
    """Return the step for the greeting of the bare loop."""
    return (Step(b"", b"in"),)
