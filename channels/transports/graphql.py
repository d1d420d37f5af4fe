"""GraphQL subscriptions over a WebSocket (graphql-transport-ws) and as a streamed response (graphql-sse).

Both are connections of the live layer, with its limits, deadlines and draining. graphql-sse is offered in its mode of
distinct connections: one request is one operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from channels.commands.connection_manager import ConnectionManager
from channels.connection.connection import Connection
from channels.connection.graphql_connection import GraphqlConnection
from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.contract.ports import GraphqlDocuments, Identity
from channels.contract.settings import LiveSettings
from channels.protocol import graphql
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Command, Message
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.handshake import require_upgrade
from channels.transports.poller import Poller
from channels.transports.streaming import stream_head
from channels.transports.takeover import take_over
from channels.transports.transport_protocol import TransportProtocol
from channels.transports.websocket import WebSocketEndpoint
from channels.transports.websocket_format import TEXT, close_frame, frame, frame_header


class SocketFormat:
    """Messages of graphql-transport-ws, each in one frame."""

    name = graphql.SUBPROTOCOL
    closes_by_frame = True
    one_operation = False

    def is_pong(self, data: bytes) -> bool:
        """Return False: a pong of this protocol may have a payload, and is handled like any other message."""
        del data
        return False

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the command of one message; raise `BadFrameError`."""
        return graphql.decode(data)

    def encode(self, message: Message) -> bytes:
        """Return a message of the protocol; an empty one is a ping."""
        return frame(TEXT, orjson.dumps(message or {"type": "ping"}))

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the close frame, with the protocol's code."""
        return close_frame(graphql.close_code(disconnect))

    def acknowledge(self) -> bytes:
        """Return connection_ack."""
        return frame(TEXT, b'{"type":"connection_ack"}')

    def event_head(self, response: bytes, offset: int | None, tail: int) -> bytes:
        """Return the header of the frame, and the message up to what belongs to the operation."""
        head = b'{"type":"next","payload":' + (
            response + b',"id":' if offset is None else _positioned(response, offset)
        )
        return frame_header(TEXT, len(head) + tail) + head

    def event_tail(self, operation_id: bytes, epoch: bytes | None) -> bytes:
        """Return the end of the message, with the id."""
        return operation_id + b"}" if epoch is None else b'%b}}},"id":%b}' % (epoch, operation_id)

    def error(self, operation_id: bytes, entries: bytes) -> bytes:
        """Return the message that ends an operation with errors."""
        return frame(TEXT, b'{"id":%b,"type":"error","payload":%b}' % (operation_id, entries))

    def complete(self, operation_id: bytes) -> bytes:
        """Return the message that ends an operation."""
        return frame(TEXT, b'{"id":%b,"type":"complete"}' % operation_id)


class EventFormat:
    """Messages of graphql-sse, each an event. A connection that is cut ends without the event `complete`."""

    name = "graphql-sse"
    content_type = "text/event-stream"
    closes_by_frame = False
    one_operation = True

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands on behalf of the client, whose request is the data."""
        return graphql.start_commands(orjson.loads(data))

    def encode(self, message: Message) -> bytes:
        """Return a comment: other messages than those of operations are pings."""
        del message
        return b":\n\n"

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return a comment; the end of the response closes the connection."""
        del disconnect
        return b":\n\n"

    def acknowledge(self) -> bytes:
        """Return a comment, so that the client sees that the stream is open."""
        return b":\n\n"

    def event_head(self, response: bytes, offset: int | None, tail: int) -> bytes:
        """Return the event up to the epoch of its position, if it has one."""
        del tail
        return b"event: next\ndata: " + (response if offset is None else _positioned(response, offset))

    def event_tail(self, operation_id: bytes, epoch: bytes | None) -> bytes:
        """Return the end of the event; without an id, since the request is the operation."""
        del operation_id
        return b"\n\n" if epoch is None else epoch + b"}}}\n\n"

    def error(self, operation_id: bytes, entries: bytes) -> bytes:
        """Return the errors as the last response, and the end."""
        return b'event: next\ndata: {"errors":%b}\n\n' % entries + self.complete(operation_id)

    def complete(self, operation_id: bytes) -> bytes:
        """Return the end of the operation."""
        del operation_id
        return b"event: complete\ndata:\n\n"


def _positioned(response: bytes, offset: int) -> bytes:
    """Return a response with its position, up to the value of the epoch."""
    return b'%b,"extensions":{"position":{"offset":%d,"epoch":' % (response[:-1], offset)


class _Sockets:
    """Listener of the WebSockets of requests with an identity, or without."""

    def __init__(self, manager: ConnectionManager, identity: Identity | None) -> None:
        self._identity = identity
        self._manager = manager
        self.received = manager.received
        self.pong = manager.pong
        self.control_frame = manager.control_frame
        self.slow_consumer = manager.slow_consumer
        self.lost = manager.lost

    def open(self, wire_format: WireFormat, transport: Transport, address: str) -> Connection:
        """Open a connection, which has to initialise itself within the connect deadline."""
        return _open(self._manager, wire_format, transport, address, self._identity)


class GraphqlEndpoint:
    """Handlers of the requests that open subscriptions; `identity` is that of a request's header or cookie, if any.

    They raise `web.HTTPException` as `WebSocketEndpoint` does. The first request of a process waits until its documents
    are loaded: a client cannot see when its subscription begins, and would miss what happens until then.
    """

    def __init__(
        self,
        documents: GraphqlDocuments,
        manager: ConnectionManager,
        accept_policy: AcceptPolicy,
        poller: Poller,
        settings: LiveSettings,
    ) -> None:
        self._documents = documents
        self._manager = manager
        self._accept_policy = accept_policy
        self._poller = poller
        self._settings = settings
        self._sockets, self._events = SocketFormat(), EventFormat()

    async def websocket(self, request: web.Request, address: str, identity: Identity | None) -> web.StreamResponse:
        """Handle an upgrade of `GET /graphql`."""
        require_upgrade(request)
        if "Sec-WebSocket-Protocol" not in request.headers:
            raise web.HTTPBadRequest(text=f"supported subprotocols: {graphql.SUBPROTOCOL}")
        await self._documents.load()
        endpoint = WebSocketEndpoint(
            _Sockets(self._manager, identity),
            [self._sockets],
            self._accept_policy,
            self._poller,
            limit=self._settings.message_bytes,
            unsent=self._settings.write_buffer_bytes,
        )
        return await endpoint.handle(request, address)

    async def events(
        self, request: web.Request, address: str, identity: Identity, operation: Mapping[str, Any]
    ) -> web.StreamResponse:
        """Handle a `POST /graphql` that accepts an event stream; `operation` is its body."""
        await self._documents.load()
        # Directly before the connection begins, because it counts those that are open.
        self._accept_policy.check(request, address)

        def start(transport: asyncio.Transport) -> Connection:
            transport.write(stream_head(self._events.content_type, {}))
            connection = _open(self._manager, self._events, transport, address, identity)
            connection.answers_pings = False
            self._manager.received(connection, orjson.dumps(operation))
            return connection

        if request.transport is not None:
            protocol = TransportProtocol(self._manager, start, unsent=self._settings.write_buffer_bytes)
            take_over(request, protocol, self._poller)
        return web.Response()


def _open(
    manager: ConnectionManager, wire_format: WireFormat, transport: Transport, address: str, identity: Identity | None
) -> GraphqlConnection:
    connection = manager.open_as(GraphqlConnection, wire_format, transport, address)
    connection.begin()
    connection.preauthenticated = identity
    return connection
