"""The WebSocket endpoint: check a request, send the handshake, and take the connection over from aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from channels.connection.write_buffer import WriteBuffer
from channels.transports.accept_policy import AcceptPolicy
from channels.transports.framing import Closed, Event, FrameReader, PeerClosed, Pinged, Received, Violation
from channels.transports.handshake import require_upgrade, switching_protocols
from channels.transports.poller import Poller
from channels.transports.takeover import send_head, take_over
from channels.transports.transport_protocol import B, TransportListener, TransportProtocol
from channels.transports.websocket_format import FrameFormat, pong_frame

_LINGER = 1.0  # seconds for a peer that violated the protocol to read the reason and answer with a close frame


class WebSocketEndpoint:
    """Handler of WebSocket requests.

    Clients choose from `formats`, the first one being the default. `limit` is the maximum size of a message from a
    client, `unsent` the maximum of unsent bytes to it.
    """

    def __init__(
        self,
        listener: TransportListener[B],
        formats: Sequence[FrameFormat],
        accept_policy: AcceptPolicy,
        poller: Poller,
        *,
        limit: int,
        unsent: int,
    ) -> None:
        self._listener: TransportListener[B] = listener
        self._formats = formats
        self._accept_policy = accept_policy
        self._poller = poller
        self._limit, self._unsent = limit, unsent

    async def handle(self, request: web.Request, address: str) -> web.StreamResponse:
        """Complete the handshake and return; the connection continues without aiohttp.

        Raises `web.HTTPException` 400, 403, 426, 429 or 503 instead of a handshake.
        """
        self._accept_policy.check(request, address)
        key = require_upgrade(request)
        wire_format, offered = self._choose(request)
        response = switching_protocols(key, wire_format.name if offered else None)
        if await send_head(request, response):
            protocol = WebSocketProtocol(self._listener, wire_format, address, limit=self._limit, unsent=self._unsent)
            take_over(request, protocol, self._poller)
        return response

    def _choose(self, request: web.Request) -> tuple[FrameFormat, bool]:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        wire_format = choose_format(
            offered, request.query.get("format") or request.query.get("cf_protocol"), self._formats
        )
        if wire_format is None:
            raise web.HTTPBadRequest(
                text=f"supported subprotocols: {', '.join(supported.name for supported in self._formats)}"
            )
        return wire_format, bool(offered)


def choose_format(offered: str | None, requested: str | None, formats: Sequence[FrameFormat]) -> FrameFormat | None:
    """Return the format for a handshake: by the offered subprotocols, else by the query parameter, else the first.

    Returns None if the client requires one that is not supported.
    """
    if offered:
        names = [name.strip() for name in offered.split(",")]
        return next((wire_format for name in names for wire_format in formats if wire_format.name == name), None)
    if requested:
        return next((wire_format for wire_format in formats if wire_format.name.endswith(f"-{requested}")), None)
    return formats[0]


class WebSocketProtocol(TransportProtocol):
    """asyncio protocol of one WebSocket: parses frames and passes messages to the listener."""

    __slots__ = ("_reader", "_wire_format")

    def __init__(
        self, listener: TransportListener[B], wire_format: FrameFormat, address: str, *, limit: int, unsent: int
    ) -> None:
        super().__init__(listener, lambda transport: listener.open(wire_format, transport, address), unsent=unsent)
        self._wire_format = wire_format
        self._reader = FrameReader(limit)

    def keepalive_received(self, data: bytes) -> bool:
        """Handle a pong of the live protocol that is due and arrived alone; return whether the data are one."""
        buffer = self._buffer
        return (
            buffer is not None
            and self._wire_format.is_pong(data)
            and self._reader.between_messages
            and self._listener.pong(buffer)
        )

    def data_received(self, data: bytes) -> None:
        """Handle the complete frames in the data."""
        buffer = self._buffer
        if buffer is not None and not self.keepalive_received(data):
            for event in self._reader.feed(data):
                self._handle(buffer, event)

    def _handle(self, buffer: WriteBuffer, event: Event) -> None:
        match event:
            case Received(data):
                self._listener.received(buffer, data)
            case Pinged(payload):
                self._listener.control_frame(buffer)
                buffer.put(pong_frame(payload))
            case Closed(reply):
                buffer.close(reply)
                buffer.transport.close()
            case Violation(disconnect):
                buffer.close(disconnect)
                # Closing at once, with unread data of the peer, would reset the connection before it reads the reason.
                asyncio.get_running_loop().call_later(_LINGER, buffer.transport.close)
            case PeerClosed():
                # RFC 6455, section 7.1.1: after both close frames the server ends the TCP connection at once.
                buffer.transport.close()
            case _:
                self._listener.control_frame(buffer)
