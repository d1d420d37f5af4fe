"""The WebSocket endpoint: judge a request, shake hands, and put the connection on a wire of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer
from channels.transports.admission import Admission
from channels.transports.framing import Broken, Closed, Event, FrameReader, Pinged, Received
from channels.transports.handshake import require_upgrade, switching_protocols
from channels.transports.poller import Poller
from channels.transports.takeover import begin, take_over
from channels.transports.transport_protocol import B, TransportListener, TransportProtocol
from channels.transports.websocket_format import WebSocketFormat, pong_frame

_LINGER = 1.0  # seconds in which a peer that broke the rules can read why, before the connection ends


class WebSocketEndpoint:
    """Answer requests for a WebSocket; `forms` are what clients may choose from, the first where they do not.

    `limit` bounds a message to us, `unsent` what a client may leave untaken, both in bytes.
    """

    def __init__(
        self,
        listener: TransportListener[B],
        formats: Sequence[WebSocketFormat],
        admission: Admission,
        poller: Poller,
        *,
        limit: int,
        unsent: int,
    ) -> None:
        self._listener: TransportListener[B] = listener
        self._formats = formats
        self._admission = admission
        self._poller = poller
        self._limit, self._unsent = limit, unsent

    async def handle(self, request: web.Request, address: str) -> web.StreamResponse:
        """Shake hands and return: the connection lives on.

        Raises `web.HTTPException` 400, 403, 426, 429 or 503 instead of a handshake.
        """
        self._admission.admit(request, address)
        key = require_upgrade(request)
        wire_format, offered = self._choose(request)
        response = switching_protocols(key, wire_format.name if offered else None)
        if await begin(request, response):
            wire = WebSocketProtocol(self._listener, wire_format, address, limit=self._limit, unsent=self._unsent)
            take_over(request, wire, self._poller)
        return response

    def _choose(self, request: web.Request) -> tuple[WebSocketFormat, bool]:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        wire_format = choose_format(
            offered, request.query.get("format") or request.query.get("cf_protocol"), self._formats
        )
        if wire_format is None:
            raise web.HTTPBadRequest(
                text=f"supported subprotocols: {', '.join(supported.name for supported in self._formats)}"
            )
        return wire_format, bool(offered)


def choose_format(
    offered: str | None, wanted: str | None, formats: Sequence[WebSocketFormat]
) -> WebSocketFormat | None:
    """Return the form of a handshake: by offered subprotocols, else by the `format` asked for, else the first.

    None where the client insists on one that is not spoken.
    """
    if offered:
        names = [name.strip() for name in offered.split(",")]
        return next((wire_format for name in names for wire_format in formats if wire_format.name == name), None)
    if wanted:
        return next((wire_format for wire_format in formats if wire_format.name.endswith(f"-{wanted}")), None)
    return formats[0]


class WebSocketProtocol(TransportProtocol):
    """Read frames and hand them on; messages have at most `limit` bytes, unsent bytes are at most `unsent`."""

    __slots__ = ("_reader",)

    def __init__(
        self, listener: TransportListener[B], wire_format: WireFormat, address: str, *, limit: int, unsent: int
    ) -> None:
        super().__init__(listener, lambda transport: listener.open(wire_format, transport, address), unsent=unsent)
        self._reader = FrameReader(limit)

    def data_received(self, data: bytes) -> None:
        """Hand on what has arrived whole."""
        buffer = self._buffer
        if buffer is not None:
            for event in self._reader.feed(data):
                self._happened(buffer, event)

    def _happened(self, buffer: WriteBuffer, event: Event) -> None:
        match event:
            case Received(data):
                self._listener.received(buffer, data)
            case Pinged(payload):
                self._listener.control_frame(buffer)
                buffer.put(pong_frame(payload))
            case Closed(answer):
                buffer.close(answer)
                buffer.transport.close()
            case Broken(disconnect):
                buffer.close(disconnect)
                # Closing at once would reset the connection under what the peer still sends, and hide the reason.
                asyncio.get_running_loop().call_later(_LINGER, buffer.transport.close)
            case _:
                self._listener.control_frame(buffer)
