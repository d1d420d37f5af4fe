"""Run the services of a process until it is told to stop, then let it leave in good order.

On SIGTERM or SIGINT: readiness goes off; after `drain_delay` nothing new is accepted; live connections
are drained; requests in flight finish within the deadline; workers are cancelled, which leaves
unfinished messages to others; then the caller closes what it opened, last first. A second signal kills.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from server.errors import StartError
from server.operation.acceptor import Acceptor
from server.operation.health import Health

log = structlog.get_logger(__name__)

Run = Callable[[], Awaitable[None]]


class ServiceEndedError(Exception):
    """Say that a service returned, which none may do before it is cancelled."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What the composition root built: long-running services, an application, and how to drain.

    `services` end last, when the requests in flight are done; `drain` closes live connections. `idle` is how
    many seconds a connection may be without a whole request, however slowly its bytes drip in; a balancer that
    keeps connections open must give them up earlier.
    """

    health: Health
    services: Mapping[str, Run] = field(default_factory=dict)
    app: web.Application | None = None
    drain: Run | None = None
    idle: float = 75.0


@dataclass(frozen=True, kw_only=True)
class ShutdownOptions:
    """Durations of a shutdown in seconds: `[server]` in the settings has their meaning and defaults."""

    drain_delay: float
    shutdown_deadline: float


async def run_node(
    node: Node, sockets: Sequence[socket.socket], leaving: ShutdownOptions, *, started: Run | None = None
) -> None:
    """Serve until a signal comes; `started` runs beside once everything answers.

    Raises what a service raised, the first one alone, after everything else was stopped.
    """
    async with _signals() as stop:
        try:
            await _run(node, sockets, leaving, stop, started)
        except BaseExceptionGroup as group:
            raise _first(group) from group


async def _run(
    node: Node, sockets: Sequence[socket.socket], leaving: ShutdownOptions, stop: asyncio.Event, started: Run | None
) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_service(name, run), name=name) for name, run in node.services.items()]
        house = await _listen(node.app, sockets, leaving, idle=node.idle) if node.app is not None and sockets else None
        node.health.started = True
        beside = group.create_task(_beside(started), name="started") if started is not None else None
        try:
            await stop.wait()
        finally:
            node.health.draining = True
            if beside is not None:
                beside.cancel()
            await _leave(node, house, leaving, in_a_hurry=not stop.is_set())
            for task in tasks:
                task.cancel()


async def _service(name: str, run: Run) -> None:
    await run()
    raise ServiceEndedError(f"{name} ended by itself")


async def _beside(started: Run) -> None:
    await started()


@dataclass(frozen=True, kw_only=True, slots=True)
class _HttpServer:
    """An application that serves, and the doors through which its clients come."""

    runner: web.AppRunner
    doors: Sequence[Acceptor]


async def _listen(
    app: web.Application, sockets: Sequence[socket.socket], leaving: ShutdownOptions, *, idle: float
) -> _HttpServer:
    # Bodies stay as they came: aiohttp would unpack them in the event loop even for a request that was refused
    # already, where three megabytes of gzip stop everything for seconds. No endpoint takes a packed one.
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=leaving.shutdown_deadline,
        auto_decompress=False,
        keepalive_timeout=idle,
    )
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - narrows the type: it was just set up
    doors = [Acceptor(listener, runner.server) for listener in sockets]
    try:
        for door in doors:
            door.open()
    except OSError as error:
        # Another process bound the same address before either listened, and was the first to listen.
        await runner.cleanup()
        raise StartError(f"The port was taken by another program meanwhile: {error.strerror}.") from error
    return _HttpServer(runner=runner, doors=doors)


async def _leave(node: Node, house: _HttpServer | None, leaving: ShutdownOptions, *, in_a_hurry: bool) -> None:
    log.info("stopping", reason="a service failed" if in_a_hurry else "signal")
    if not in_a_hurry and leaving.drain_delay:
        await asyncio.sleep(leaving.drain_delay)
    if house is not None:
        for door in house.doors:
            door.close()
    if node.drain is not None and not in_a_hurry:
        await node.drain()
    if house is not None:
        await house.runner.cleanup()


@contextlib.asynccontextmanager
async def _signals() -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("stopped_at_once", signal=number.name)
            # Children notice the end of their parent by themselves.
            os._exit(128 + number)
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, received, number)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
