"""Lifecycle of a process: run its services until a signal arrives, then shut down in order.

On SIGTERM or SIGINT: readiness is switched off, and each response ends its connection; after `drain_delay` no new
connection is accepted; live connections are drained; requests in progress finish within the deadline; workers are
cancelled, which leaves unfinished messages to other processes; then the caller closes what it opened, last opened
first. A second signal ends the process immediately.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiohttp import web

from server.errors import StartError
from server.operation.acceptor import AT_ONCE, Acceptor
from server.operation.health import Health

log = structlog.get_logger(__name__)

_SILENT = 0.05  # seconds for a client that has connected to send its request
_PAUSE = 0.02  # seconds between two looks at the connections of a process that stops

Run = Callable[[], Awaitable[None]]

_Sockets = Mapping[str, Sequence[socket.socket]]  # "service" and "plain" -> bound sockets
_Tls = Callable[[], ssl.SSLContext | None] | None


class ServiceEndedError(Exception):
    """A service returned before it was cancelled."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What the composition root built: long-running services, an application, and the drain of live connections.

    `services` are cancelled last, after the requests in progress. `idle_timeout` is the number of seconds that a
    connection may go without a complete request, however slowly its bytes arrive; a load balancer that reuses
    connections must close idle ones earlier. A process that stops keeps them open for `last_requests` seconds after the
    last one was accepted. `protocol` makes the protocol of each connection. `tls` returns the context of each new
    connection, and `plain` is the application of plain HTTP on another port. `reload` runs on SIGHUP.
    `accepts_at_once` is the number of connections that are accepted per turn of the event loop.
    """

    health: Health
    services: Mapping[str, Run] = field(default_factory=dict)
    app: web.Application | None = None
    drain: Run | None = None
    idle_timeout: float = 75.0
    last_requests: float = 0.4
    protocol: Callable[..., web.RequestHandler] = web.RequestHandler
    tls: Callable[[], ssl.SSLContext | None] | None = None
    plain: web.Application | None = None
    reload: Callable[[], object] | None = None
    accepts_at_once: int = AT_ONCE


@dataclass(frozen=True, kw_only=True)
class ShutdownOptions:
    """Durations of a shutdown in seconds; their meaning and defaults are in the section `[server]` of the settings."""

    drain_delay: float
    shutdown_deadline: float


async def run_node(
    node: Node,
    sockets: Sequence[socket.socket],
    shutdown: ShutdownOptions,
    *,
    plain_sockets: Sequence[socket.socket] = (),
    started: Run | None = None,
) -> None:
    """Run a node until a signal arrives; `started` runs once, when the node accepts requests.

    `plain_sockets` are those of the node's `plain` application.

    Raises the first exception of a service, alone, after everything else has stopped.
    """
    async with _signals(node.reload) as stop:
        try:
            await _run(node, {"service": sockets, "plain": plain_sockets}, shutdown, stop, started)
        except BaseExceptionGroup as group:
            raise _first(group) from group


async def _run(
    node: Node, sockets: _Sockets, shutdown: ShutdownOptions, stop: asyncio.Event, started: Run | None
) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_service(name, run), name=name) for name, run in node.services.items()]
        servers = await _listen(node, sockets, shutdown)
        node.health.started = True
        after_start = group.create_task(_call(started), name="started") if started is not None else None
        try:
            await stop.wait()
        finally:
            node.health.draining = True
            if after_start is not None:
                after_start.cancel()
            # Without a signal a service has failed, and there is no point in waiting for load balancers.
            await _shut_down(node, servers, shutdown, immediate=not stop.is_set())
            for task in tasks:
                task.cancel()


async def _service(name: str, run: Run) -> None:
    await run()
    raise ServiceEndedError(f"{name} ended by itself")


async def _call(started: Run) -> None:
    await started()


@dataclass(frozen=True, kw_only=True, slots=True)
class _HttpServer:
    """A running application, and the acceptors of its connections."""

    runner: web.AppRunner
    acceptors: Sequence[Acceptor]

    @property
    def in_use(self) -> bool:
        """Whether there are connections."""
        connected = self.runner.server is not None and bool(self.runner.server.connections)
        return connected or any(acceptor.connecting for acceptor in self.acceptors)


async def _listen(node: Node, sockets: _Sockets, shutdown: ShutdownOptions) -> list[_HttpServer]:
    servers = []
    # Plain HTTP comes first: a certificate may have to be ordered by it.
    for app, listeners, tls in ((node.plain, sockets["plain"], None), (node.app, sockets["service"], node.tls)):
        if app is not None and listeners:
            servers.append(await _serve(node, app, listeners, tls, shutdown))
    return servers


async def _serve(
    node: Node, app: web.Application, listeners: Sequence[socket.socket], tls: _Tls, shutdown: ShutdownOptions
) -> _HttpServer:
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=shutdown.shutdown_deadline)
    await runner.setup()
    # Bodies are not decompressed: aiohttp would do it in the event loop, even for a request that was already refused,
    # and three megabytes of gzip would stop the process for seconds. No endpoint accepts a compressed body.
    connect = partial(
        node.protocol,
        runner.server,
        loop=asyncio.get_running_loop(),
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=node.idle_timeout,
    )
    acceptors = [Acceptor(listener, connect, tls, at_once=node.accepts_at_once) for listener in listeners]
    try:
        for acceptor in acceptors:
            acceptor.open()
    except OSError as error:
        # Two processes can bind the same address before either listens. The other one was first to listen.
        await runner.cleanup()
        raise StartError(f"Another program has started to use the port: {error.strerror}.") from error
    return _HttpServer(runner=runner, acceptors=acceptors)


async def _shut_down(node: Node, servers: Sequence[_HttpServer], shutdown: ShutdownOptions, *, immediate: bool) -> None:
    log.info("stopping", reason="a service failed" if immediate else "signal")
    acceptors = [acceptor for server in servers for acceptor in server.acceptors]
    if not immediate:
        for acceptor in acceptors:
            acceptor.accept_silent()
        await asyncio.sleep(max(shutdown.drain_delay, _SILENT) if acceptors else shutdown.drain_delay)
    for acceptor in acceptors:
        acceptor.close()
    if node.drain is not None and not immediate:
        await node.drain()
    if not immediate:
        await _last_requests(servers, node.last_requests)
    for server in servers:
        await server.runner.cleanup()


async def _last_requests(servers: Sequence[_HttpServer], seconds: float) -> None:
    """Give connections without a request in progress a moment for one that is on its way."""
    # The load balancer may have sent it before it learns that nothing is accepted any more. It does not send a POST
    # again, once it was sent. The protocol closes each connection after its next response.
    for _ in range(round(seconds / _PAUSE)):
        if not any(server.in_use for server in servers):
            return
        await asyncio.sleep(_PAUSE)


@contextlib.asynccontextmanager
async def _signals(reload: Callable[[], object] | None) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("stopped_immediately", signal=number.name)
            # No cleanup is necessary for child processes: they end when their parent does.
            os._exit(128 + number)
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, received, number)
    if reload is not None:
        loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        if reload is not None:
            loop.remove_signal_handler(signal.SIGHUP)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
