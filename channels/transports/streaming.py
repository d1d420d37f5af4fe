"""Streaming answers for clients whose WebSockets are blocked: what centrifuge-js calls "sse" and "http_stream".

The stream carries what the server says. What the client says comes by `POST /emulation`, to any process.
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
from channels.contract.ports import Identity, Position
from channels.contract.settings import LiveSettings
from channels.protocol.codec import BadFrameError
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.protocol.emulation import request_from_json, request_from_protobuf
from channels.protocol.messages import Command
from channels.transports.admission import Admission
from channels.transports.event_stream import EventStream, parse_event_id
from channels.transports.poller import Poller
from channels.transports.stream_formats import DelimitedFormat, DocumentFormat, EventFormat, LineFormat
from channels.transports.takeover import take_over
from channels.transports.transport_protocol import TransportProtocol

_PROTOBUF = "application/octet-stream"
RETRY = b"retry: 2000\n\n"  # milliseconds that an EventSource waits before it comes back

# The body has no length and no chunks: it ends with the connection, which every HTTP/1 client and proxy understands.
# A client can tell a cut from an orderly end, since an orderly end is announced by a close message.
_HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would gather what should leave at once
    "X-Content-Type-Options": "nosniff",
    "Server": "PicShare",
    "Connection": "close",
}


class Streaming:
    """Answer the requests of streaming clients.

    All methods raise `web.HTTPException`: 400 for what is not the protocol, 403, 429 and 503 as at the WebSocket.
    """

    def __init__(
        self,
        manager: ConnectionManager,
        emulation: Emulation,
        admission: Admission,
        poller: Poller,
        settings: LiveSettings,
    ) -> None:
        self._manager = manager
        self._poller = poller
        self._emulation = emulation
        self._admission = admission
        self._settings = settings
        self._events, self._lines, self._packed = EventFormat(), LineFormat(), DelimitedFormat(ProtobufCodec())
        self._documents = DocumentFormat()

    async def sse(self, request: web.Request, address: str) -> web.StreamResponse:
        """Answer `GET /connection/sse?cf_connect=…`: the first commands stand in the address."""
        self._admission.admit(request, address)
        first = request.query.get("cf_connect", "")
        self._refuse_token_in_address(first)
        return self._stream(request, address, self._events, self._events.content_type, first)

    async def http_stream(self, request: web.Request, address: str) -> web.StreamResponse:
        """Answer `POST /connection/http_stream`: the first commands are the body."""
        self._admission.admit(request, address)
        first = await self._body(request)
        wire_format = self._packed if request.content_type == _PROTOBUF else self._lines
        _require_commands(wire_format, first)
        return self._stream(request, address, wire_format, wire_format.content_type, first)

    async def emulation(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /emulation`: 204, or 404 when the process of that session is gone."""
        self._admission.admit_origin(request)
        body = await self._body(request)
        try:
            commands = (request_from_protobuf if request.content_type == _PROTOBUF else request_from_json)(body)
        except BadFrameError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        if not await self._emulation.forward(commands):
            raise web.HTTPNotFound(text="the process of this session is gone; connect again")
        return web.Response(status=204, headers=cross_origin(request))

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """Answer a browser that asks whether a page of another origin may send such requests."""
        self._admission.admit_origin(request)
        allowed = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "86400",
        }
        return web.Response(status=204, headers={**cross_origin(request), **allowed})

    async def events(self, request: web.Request, address: str, identity: Identity) -> web.StreamResponse:
        """Answer `GET /live/sse` for a person who is known: documents alone, from `Last-Event-ID` on."""
        self._admission.admit(request, address)
        given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
        since = parse_event_id(given) or {}
        if given and not since:
            raise web.HTTPBadRequest(text="Last-Event-ID is the id of an event of this stream, or absent")

        def begin(transport: asyncio.Transport) -> Connection:
            transport.write(stream_head(self._documents.content_type, cross_origin(request)) + RETRY)
            stream = self._manager.open_as(EventStream, self._documents, transport, address)
            stream.positions, stream.preauthenticated, stream.answers_pings = dict(since), identity, False
            return stream

        return self._take(request, begin, connect_command(since))

    def _stream(
        self, request: web.Request, address: str, wire_format: WireFormat, content_type: str, first: bytes | str
    ) -> web.StreamResponse:
        def begin(transport: asyncio.Transport) -> Connection:
            transport.write(stream_head(content_type, cross_origin(request)))
            connection = self._manager.open(wire_format, transport, address)
            connection.session = self._emulation.start_session(connection)
            connection.node = self._emulation.node
            return connection

        return self._take(request, begin, first)

    def _take(
        self, request: web.Request, begin: Callable[[asyncio.Transport], Connection], first: bytes | str
    ) -> web.StreamResponse:
        """Put the connection on a wire of its own, and hear the first commands; aiohttp answers nothing any more."""

        def start(transport: asyncio.Transport) -> Connection:
            connection = begin(transport)
            self._manager.received(connection, first)
            return connection

        if request.transport is not None:
            wire = TransportProtocol(self._manager, start, unsent=self._settings.write_buffer_bytes)
            take_over(request, wire, self._poller)
        return web.Response()

    def _refuse_token_in_address(self, first: str) -> None:
        commands = _require_commands(self._events, first)
        tokens = [command.params.get("token", "") for command in commands if command.method == "connect"]
        if any(str(token).count(".") == 2 for token in tokens):
            # Addresses end up in logs, histories and proxies; a ticket there is used up already.
            raise web.HTTPBadRequest(
                text="an address may carry no access token; get a one-use ticket from POST /api/v1/live/token"
            )

    async def _body(self, request: web.Request) -> bytes:
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


def connect_command(since: Mapping[str, Position]) -> bytes:
    """Return what a client that cannot speak would say."""
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
    """Return the bytes of a 200 whose body follows as it comes."""
    fields = {"Content-Type": content_type, **_HEADERS, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1")


def cross_origin(request: web.Request) -> dict[str, str]:
    """Return what lets the page of an admitted foreign origin read the answer."""
    origin = request.headers.get("Origin")
    return {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
