"""Connections of this process, for all transports: opening them, handling their commands, and cleaning up.

Commands are checked at once and in order. A request that needs I/O is handled by a task, which continues with the
commands that have arrived meanwhile; an idle connection has no task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

import structlog

from channels.commands.dispatcher import CommandDispatcher
from channels.connection.connection import Connection
from channels.connection.keepalive import Keepalive
from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.contract.metrics import LiveMetrics
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.protocol import codes
from channels.protocol.codec import BadFrameError
from channels.protocol.effects import (
    CallMethod,
    Connect,
    ReadHistory,
    ReadPresence,
    Refresh,
    Request,
    StartOperation,
    Subscribe,
)
from channels.protocol.messages import Command

C = TypeVar("C", bound=Connection)

log = structlog.get_logger(__name__)

_CLEANUP_BATCH = 50  # connections in one turn of the event loop: about three milliseconds
_REQUESTS = (Connect, Refresh, Subscribe, ReadHistory, ReadPresence, CallMethod, StartOperation)


class ConnectionManager:
    """Opens connections, executes their commands in order, and cleans up after them."""

    def __init__(
        self, commands: CommandDispatcher, hub: Hub, keepalive: Keepalive, settings: LiveSettings, metrics: LiveMetrics
    ) -> None:
        self._commands = commands
        self._hub = hub
        self._keepalive = keepalive
        self._settings = settings
        self._metrics = metrics
        self._scheduler = hub.scheduler
        # The event loop keeps only weak references to its tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost: deque[Connection] = deque()

    def open(self, wire_format: WireFormat, transport: Transport, address: str) -> Connection:
        """Open a connection; the client has to connect within the connect deadline."""
        return self.open_as(Connection, wire_format, transport, address)

    def open_as(self, kind: type[C], wire_format: WireFormat, transport: Transport, address: str) -> C:
        """Open a connection of a subclass."""
        now = asyncio.get_running_loop().time()
        core = kind.core_type(rate=self._settings.command_rate, burst=self._settings.command_burst, now=now)
        connection = kind(wire_format, transport, core, self._scheduler, self._settings, address=address)
        self._hub.add(connection)
        self._metrics.live_opened()
        self._keepalive.watch(connection)
        return connection

    def received(self, connection: Connection, data: bytes | str) -> None:
        """Handle the data of one frame or request body; a closed connection ignores it."""
        if connection.closed_with is not None:
            return
        try:
            commands = connection.wire_format.decode(data)
        except BadFrameError:
            connection.close(codes.BAD_REQUEST)
            return
        # A request is being handled: these commands wait, so that replies keep the order of the commands.
        if connection.inbox is not None:
            connection.inbox.extend((None, *commands))
            # Reading is paused, but what had been read before still arrives, and streaming clients send by requests
            # of their own. This bounds the memory in either case.
            if len(connection.inbox) > 2 * self._settings.command_burst:
                connection.close(codes.TOO_MANY_REQUESTS)
            return
        connection.inbox = deque((None, *commands))
        request = self._execute_local(connection, connection.inbox)
        if request is None:
            connection.inbox = None
            return
        # Further data waits in the socket's buffer, where it costs this process nothing.
        connection.transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._handle_requests(connection, connection.inbox, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def pong(self, connection: Connection) -> bool:
        """Handle a pong that is all that arrived; return False if it has to be handled by `received`."""
        # Without decoding and without an effect: these are nearly all messages of clients.
        return connection.inbox is None and connection.closed_with is None and connection.core.pong()

    def control_frame(self, connection: Connection) -> None:
        """Count a ping or pong frame against the command rate: it costs about as much as a command."""
        over = connection.core.count(asyncio.get_running_loop().time())
        if over is not None:
            connection.close(over.disconnect)

    def slow_consumer(self, connection: Connection) -> None:
        """Close a client that reads too slowly, with 3008."""
        if connection.closed_with is None:
            unsent = connection.transport.get_write_buffer_size()
            log.warning(
                "live_client_slow",
                client=connection.client_id,
                user_id=connection.identity.user_id if connection.identity else None,
                unsent_bytes=unsent,
                limit_bytes=self._settings.write_buffer_bytes,
            )
            self._metrics.live_slow(unsent)
            connection.close(codes.SLOW)

    def lost(self, connection: Connection) -> None:
        """Stop writing to a connection whose transport is gone, and schedule its cleanup."""
        connection.lost = True
        connection.mark_closed(codes.NORMAL)
        if not self._lost:
            asyncio.get_running_loop().call_soon(self._cleanup)
        self._lost.append(connection)

    def _cleanup(self) -> None:
        """Clean up one batch of lost connections; a network failure ends thousands at the same time."""
        if len(self._lost) > _CLEANUP_BATCH:
            asyncio.get_running_loop().call_soon(self._cleanup)
        for _ in range(min(_CLEANUP_BATCH, len(self._lost))):
            self._finish(self._lost.popleft())

    def _finish(self, connection: Connection) -> None:
        if connection.on_close is not None:
            connection.on_close()
        disconnect = connection.closed_with or codes.NORMAL
        self._hub.discard(connection)
        self._metrics.live_closed(disconnect.code)
        log.info(
            "live_connection_closed",
            client=connection.client_id,
            user_id=connection.identity.user_id if connection.identity else None,
            code=disconnect.code,
            reason=disconnect.reason,
            seconds=round(asyncio.get_running_loop().time() - connection.opened_at, 3),
            format=connection.wire_format.name,
        )
        # While a request is being handled the connection may be about to join the hub. The task then removes it when it
        # is done, since removing it here would come too early.
        if not connection.busy:
            self._commands.leave(connection)

    def _execute_local(self, connection: Connection, inbox: deque[Command | None]) -> Request | None:
        """Execute commands that need no I/O up to the first that does; return its request, or None at the end."""
        core, time = connection.core, asyncio.get_running_loop().time
        while inbox and connection.closed_with is None:
            command = inbox.popleft()
            if command is None:
                core.begin_frame()
                continue
            effect = core.receive(command, time())
            if isinstance(effect, _REQUESTS):
                return effect
            self._commands.execute(connection, effect)
        return None

    async def _handle_requests(
        self, connection: Connection, inbox: deque[Command | None], request: Request | None
    ) -> None:
        try:
            while request is not None:
                await self._commands.handle(connection, request)
                request = self._execute_local(connection, inbox)
        except BaseException:
            # A defect, or a cancellation: the client must not wait for a reply that never comes.
            connection.close(codes.SERVER_ERROR)
            raise
        finally:
            connection.inbox = None
            # The transport was lost during the request, and its cleanup left this to the task.
            if connection.lost:
                self._commands.leave(connection)
            elif not connection.transport.is_closing():
                connection.transport.resume_reading()
