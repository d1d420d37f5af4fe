"""Connections whose clients know another protocol: each publication is projected into messages of theirs.

A projection may read stores, so it is done by a task of the connection, one publication after the other. The result for
many clients can be shared, which is the projection's own matter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import orjson
import structlog
from aiohttp import web

from channels.commands.connection_manager import ConnectionManager
from channels.connection.connection import Connection
from channels.connection.transport import Transport
from channels.connection.wire_format import SharedMessage, WireFormat
from channels.contract.ports import Identity
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.codec_json import JsonCodec
from channels.protocol.messages import Message
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.handshake import require_upgrade, switching_protocols
from channels.transports.poller import Poller
from channels.transports.stream_formats import EventFormat
from channels.transports.streaming import connect_command, stream_head
from channels.transports.takeover import send_head, take_over
from channels.transports.transport_protocol import TransportProtocol
from channels.transports.websocket import WebSocketProtocol
from channels.transports.websocket_format import PING, TEXT, WebSocketFormat, frame

MAX_WAITING = 500  # publications and messages of one connection that wait for their projection

log = structlog.get_logger(__name__)


class Projection(Protocol):
    """What one client receives, and what it may send."""

    async def messages(self, channel: str, document: bytes) -> Sequence[bytes]:
        """Return the messages that a publication becomes, in the form of the client's transport; there may be none."""
        ...

    async def answers(self, text: str) -> Sequence[bytes]:
        """Handle a message of the client, and return the answers to it."""
        ...

    def opened(self, subscribe: Callable[[str], None]) -> None:
        """Take what subscribes to a channel, once publications arrive."""
        ...


class ProjectedConnection(Connection):
    """A connection whose publications are projected; other messages of the live protocol are not sent."""

    __slots__ = ("_command", "_projecting", "_waiting", "manager", "projection")

    manager: ConnectionManager
    projection: Projection

    def begin(self, manager: ConnectionManager, projection: Projection, identity: Identity) -> None:
        """Connect on behalf of a client that was authenticated by its request."""
        self.manager, self.projection = manager, projection
        self.preauthenticated, self.answers_pings = identity, False
        self._waiting: deque[Callable[[], Awaitable[Sequence[bytes]]]] = deque()
        self._projecting: asyncio.Task[None] | None = None
        self._command = 1
        manager.received(self, connect_command({}).decode())

    def send(self, message: Message) -> None:
        """Handle a reply, and send a ping."""
        if "connect" in message:
            self.projection.opened(self._subscribe)
        elif "error" in message and message.get("id") == 1:
            # Without its own streams the client would wait for nothing; it connects again by itself.
            self.close(codes.SERVER_ERROR)
        elif not message:
            super().send(message)

    def send_shared(self, message: SharedMessage) -> None:
        """Have a publication projected, and send a ping."""
        push = message.message.get("push")
        if push is None:
            super().send_shared(message)
        elif "pub" in push:
            channel, document = push["channel"], push["pub"]["data"].data
            self._later(lambda: self.projection.messages(channel, document))

    def handle(self, text: str) -> None:
        """Have a message of the client handled, after what arrived before it."""
        self._later(lambda: self.projection.answers(text))

    def accepts(self, stream: str, offset: int, message: SharedMessage) -> bool:
        """Have a new publication projected; return False, so that the hub does not send it."""
        if super().accepts(stream, offset, message):
            self.send_shared(message)
        return False

    def _subscribe(self, channel: str) -> None:
        self._command += 1
        command = {"id": self._command, "subscribe": {"channel": channel}}
        self.manager.received(self, orjson.dumps(command).decode())

    def _later(self, project: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        if self.closed_with is not None:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.close(codes.SLOW)
            return
        self._waiting.append(project)
        if self._projecting is None:
            self._projecting = asyncio.get_running_loop().create_task(self._project_waiting())

    async def _project_waiting(self) -> None:
        try:
            while self._waiting and self.closed_with is None:
                for message in await self._waiting.popleft()():
                    if self.closed_with is None:
                        self.put(message)
        except Exception:
            # The client would miss something without knowing it; it connects again and fetches what it missed.
            self.close(codes.SERVER_ERROR)
            log.exception("live_projection_failed", client=self.client_id)
        finally:
            self._projecting = None


class ProjectedEvents(EventFormat):
    """Server-sent events; a ping is a comment."""

    name = "sse-projected"

    def encode(self, message: Message) -> bytes:
        """Return a comment for a ping, and nothing for other messages."""
        return b"" if message else b":thump\n\n"


class ProjectedFrames(WebSocketFormat):
    """WebSocket frames; a ping is that of WebSocket itself."""

    def __init__(self) -> None:
        super().__init__(JsonCodec())
        self.name = "websocket-projected"

    def is_pong(self, data: bytes) -> bool:
        """Return False: a client answers with a pong of WebSocket."""
        del data
        return False

    def encode(self, message: Message) -> bytes:
        """Return a ping frame for a ping, and nothing for other messages."""
        return b"" if message else frame(PING, b"")


def text_frame(text: bytes) -> bytes:
    """Return the frame of a text."""
    return frame(TEXT, text)


class _Listener:
    """Callbacks of one WebSocket: its messages go to its projection."""

    def __init__(self, manager: ConnectionManager, projection: Projection, identity: Identity) -> None:
        self._manager = manager
        self._projection = projection
        self._identity = identity

    def open(self, wire_format: WireFormat, transport: Transport, address: str) -> ProjectedConnection:
        connection = self._manager.open_as(ProjectedConnection, wire_format, transport, address)
        connection.begin(self._manager, self._projection, self._identity)
        return connection

    def received(self, buffer: ProjectedConnection, data: bytes | str) -> None:
        # Each message counts against the command rate, as a command would.
        self._manager.control_frame(buffer)
        if buffer.closed_with is None:
            buffer.handle(data if isinstance(data, str) else data.decode(errors="replace"))

    def pong(self, buffer: ProjectedConnection) -> bool:
        del buffer
        return False

    def control_frame(self, buffer: ProjectedConnection) -> None:
        self._manager.control_frame(buffer)

    def slow_consumer(self, buffer: ProjectedConnection) -> None:
        self._manager.slow_consumer(buffer)

    def lost(self, buffer: ProjectedConnection) -> None:
        self._manager.lost(buffer)


class ProjectedStreams:
    """Opens projected connections for authenticated requests; raises `web.HTTPException` 400, 426, 429 or 503."""

    def __init__(
        self, manager: ConnectionManager, accept_policy: AcceptPolicy, poller: Poller, settings: LiveSettings
    ) -> None:
        self._manager = manager
        self._accept_policy = accept_policy
        self._poller = poller
        self._settings = settings
        self._events, self._frames = ProjectedEvents(), ProjectedFrames()

    async def websocket(
        self, request: web.Request, address: str, identity: Identity, projection: Projection
    ) -> web.StreamResponse:
        """Open a WebSocket. Its token is no cookie, so a page of any origin may connect."""
        self._accept_policy.check_capacity(address)
        offered = request.headers.get("Sec-WebSocket-Protocol")
        response = switching_protocols(require_upgrade(request), offered)
        if await send_head(request, response):
            protocol = WebSocketProtocol(
                _Listener(self._manager, projection, identity),
                self._frames,
                address,
                limit=self._settings.message_bytes,
                unsent=self._settings.write_buffer_bytes,
            )
            take_over(request, protocol, self._poller)
        return response

    async def events(
        self,
        request: web.Request,
        address: str,
        identity: Identity,
        projection: Projection,
        *,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """Open a stream of server-sent events, with further header fields."""
        self._accept_policy.check_capacity(address)

        def open_connection(transport: asyncio.Transport) -> ProjectedConnection:
            # A comment, so that proxies pass the head on at once.
            transport.write(stream_head(self._events.content_type, headers) + b":)\n\n")
            connection = self._manager.open_as(ProjectedConnection, self._events, transport, address)
            connection.begin(self._manager, projection, identity)
            return connection

        if request.transport is not None:
            unsent = self._settings.write_buffer_bytes
            take_over(request, TransportProtocol(self._manager, open_connection, unsent=unsent), self._poller)
        return web.Response()
