"""HTTP streaming for clients whose WebSockets are blocked: "sse" and "http_stream" of centrifuge-js.

A streaming response carries the server's messages. The client sends commands by `POST /emulation`, to any process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from channels.commands.connection_manager import ConnectionManager
from channels.commands.emulation import Emulation
from channels.connection.connection import Connection
from channels.connection.wire_format import WireFormat
from channels.contract.origins import parse_origin
from channels.contract.ports import Identity, Position
from channels.contract.settings import LiveSettings
from channels.protocol.codec import BadFrameError
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.protocol.emulation_request import request_from_json, request_from_protobuf
from channels.protocol.messages import Command
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.event_stream import EventStream, event_id, key_of_event_id, parse_event_id
from channels.transports.poller import Poller
from channels.transports.stream_formats import DelimitedFormat, DocumentFormat, EventFormat, LineFormat
from channels.transports.takeover import take_over
from channels.transports.transport_protocol import TransportProtocol

_PROTOBUF = "application/octet-stream"
RETRY = b"retry: 2000\n\n"  # milliseconds that an EventSource waits before it reconnects

# The body has no length and no chunks: it ends with the connection, which every HTTP/1 client and proxy understands.
# A client can distinguish a cut from an orderly end, since a close message precedes the latter.
_HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # keeps nginx from buffering the stream
    "X-Content-Type-Options": "nosniff",
    "Server": "PicShare",
    "Connection": "close",
}


class Streaming:
    """Handlers of the requests of streaming clients.

    All methods raise `web.HTTPException`: 400 for a protocol error, 403, 429 and 503 as for a WebSocket.
    """

    def __init__(
        self,
        manager: ConnectionManager,
        emulation: Emulation,
        accept_policy: AcceptPolicy,
        poller: Poller,
        settings: LiveSettings,
    ) -> None:
        self._manager = manager
        self._poller = poller
        self._emulation = emulation
        self._accept_policy = accept_policy
        self._settings = settings
        self._events, self._lines, self._protobuf = EventFormat(), LineFormat(), DelimitedFormat(ProtobufCodec())
        self._documents = DocumentFormat()

    async def sse(self, request: web.Request, address: str) -> web.StreamResponse:
        """Handle `GET /connection/sse?cf_connect=…`; the first commands are in the query."""
        self._accept_policy.check(request, address)
        first = request.query.get("cf_connect", "")
        self._reject_token_in_url(first)
        return self._stream(request, address, self._events, self._events.content_type, first)

    async def http_stream(self, request: web.Request, address: str) -> web.StreamResponse:
        """Handle `POST /connection/http_stream`; the first commands are the body."""
        self._accept_policy.check(request, address)
        first = await self.body(request)
        wire_format = self._protobuf if request.content_type == _PROTOBUF else self._lines
        _require_commands(wire_format, first)
        return self._stream(request, address, wire_format, wire_format.content_type, first)

    async def emulation(self, request: web.Request) -> web.StreamResponse:
        """Handle `POST /emulation`: 204, or 404 if the process of the session is gone."""
        self._accept_policy.check_origin(request)
        body = await self.body(request)
        try:
            commands = (request_from_protobuf if request.content_type == _PROTOBUF else request_from_json)(body)
        except BadFrameError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        if not await self._emulation.forward(commands):
            raise web.HTTPNotFound(text="the process of this session is gone; connect again")
        return web.Response(status=204, headers=self._cross_origin(request))

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """Handle a CORS preflight request."""
        self._accept_policy.check_origin(request)
        allowed = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "86400",
        }
        return web.Response(status=204, headers={**self._cross_origin(request), **allowed})

    async def events(
        self, request: web.Request, address: str, identity: Identity, *, key: str = ""
    ) -> web.StreamResponse:
        """Handle `GET /live/sse` for an authenticated user: documents alone, resumed from `Last-Event-ID`.

        `key` is part of every event id; see `Authenticator.authenticate_stream`.
        """
        self._accept_policy.check(request, address)
        given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
        since = parse_event_id(given) if given else {}
        if since is None:
            raise web.HTTPBadRequest(text="Last-Event-ID must be the id of an event of this stream, or absent")

        def open_connection(transport: asyncio.Transport) -> Connection:
            head = stream_head(self._documents.content_type, self._cross_origin(request)) + RETRY
            # The client must have the key before the first event: it may be cut off at any moment.
            transport.write(head + (b"id: %b\n\n" % _first_id(given, key).encode() if key else b""))
            stream = self._manager.open_as(EventStream, self._documents, transport, address)
            stream.key = key
            stream.positions, stream.preauthenticated, stream.answers_pings = dict(since), identity, False
            return stream

        return self._take_over(request, open_connection, connect_command(since))

    @staticmethod
    def reconnect_key(request: web.Request) -> str | None:
        """Return the key with which the client of an event stream reconnects, or None in its first request."""
        # The query may contain an event id too, but URLs are logged: a key in it would be logged next to the ticket.
        return key_of_event_id(request.headers.get("Last-Event-ID", ""))

    def _stream(
        self, request: web.Request, address: str, wire_format: WireFormat, content_type: str, first: bytes | str
    ) -> web.StreamResponse:
        def open_connection(transport: asyncio.Transport) -> Connection:
            transport.write(stream_head(content_type, self._cross_origin(request)))
            connection = self._manager.open(wire_format, transport, address)
            connection.session = self._emulation.start_session(connection)
            connection.node = self._emulation.node
            return connection

        return self._take_over(request, open_connection, first)

    def _take_over(
        self, request: web.Request, open_connection: Callable[[asyncio.Transport], Connection], first: bytes | str
    ) -> web.StreamResponse:
        """Take the connection over from aiohttp, and handle the first commands."""

        def start(transport: asyncio.Transport) -> Connection:
            connection = open_connection(transport)
            self._manager.received(connection, first)
            return connection

        if request.transport is not None:
            protocol = TransportProtocol(self._manager, start, unsent=self._settings.write_buffer_bytes)
            take_over(request, protocol, self._poller)
        return web.Response()

    def _reject_token_in_url(self, first: str) -> None:
        commands = _require_commands(self._events, first)
        tokens = [command.params.get("token", "") for command in commands if command.method == "connect"]
        if any(str(token).count(".") == 2 for token in tokens):
            # URLs are written to logs and browser histories, so they must not carry an access token. A ticket is
            # harmless there, since it has been used up.
            raise web.HTTPBadRequest(
                text="a URL must not carry an access token; get a one-use ticket from POST /api/v1/live/token"
            )

    def _cross_origin(self, request: web.Request) -> dict[str, str]:
        """Return the CORS headers with which a page of an allowed foreign origin can read the response."""
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        # With cookies only for the origins that are listed: "*" would let every page read what the user may see.
        listed = {parse_origin(entry) for entry in self._settings.allowed_origins} - {None}
        if parse_origin(origin) in listed:
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers

    async def body(self, request: web.Request) -> bytes:
        """Return the body of a request; raise 408 if it takes too long, 413 if it is too large."""
        limit = self._settings.message_bytes
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=request.content_length or 0)
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.connect_deadline):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > limit:
                        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text="the body took too long to arrive") from error
        return bytes(body)


def _first_id(given: str, key: str) -> str:
    """Return the id of a stream that has sent no event: with the positions that the client has returned with."""
    positions = parse_event_id(given)
    return event_id(positions, key) if positions else key


def connect_command(since: Mapping[str, Position]) -> bytes:
    """Return the connect command on behalf of a client that cannot send commands."""
    subs = {
        name: {"recover": True, "epoch": position.epoch, "offset": position.offset} for name, position in since.items()
    }
    return orjson.dumps({"id": 1, "connect": {"subs": subs}})


def _require_commands(wire_format: WireFormat, first: bytes | str) -> list[Command]:
    try:
        return wire_format.decode(first)
    except BadFrameError as error:
        raise web.HTTPBadRequest(text=f"send the connect command: {error}") from error


def stream_head(content_type: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a 200 response whose body is streamed."""
    fields = {"Content-Type": content_type, **_HEADERS, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1")
