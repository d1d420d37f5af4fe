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
from channels.transports.transport_protocol import Listener, O, TransportProtocol
from channels.transports.websocket_format import WebSocketFormat, pong_frame

_LINGER = 1.0  # seconds in which a peer that broke the rules can read why, before the connection ends


class WebSocketEndpoint:
    """Answer requests for a WebSocket; `forms` are what clients may choose from, the first where they do not.

    `limit` bounds a message to us, `unsent` what a client may leave untaken, both in bytes.
    """

    def __init__(
        self,
        listener: Listener[O],
        forms: Sequence[WebSocketFormat],
        admission: Admission,
        poller: Poller,
        *,
        limit: int,
        unsent: int,
    ) -> None:
        self._listener: Listener[O] = listener
        self._forms = forms
        self._admission = admission
        self._poller = poller
        self._limit, self._unsent = limit, unsent

    async def handle(self, request: web.Request, address: str) -> web.StreamResponse:
        """Shake hands and return: the connection lives on.

        Raises `web.HTTPException` 400, 403, 426, 429 or 503 instead of a handshake.
        """
        self._admission.admit(request, address)
        key = require_upgrade(request)
        form, offered = self._choose(request)
        response = switching_protocols(key, form.name if offered else None)
        if await begin(request, response):
            wire = WebSocketProtocol(self._listener, form, address, limit=self._limit, unsent=self._unsent)
            take_over(request, wire, self._poller)
        return response

    def _choose(self, request: web.Request) -> tuple[WebSocketFormat, bool]:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        form = choose_form(offered, request.query.get("format") or request.query.get("cf_protocol"), self._forms)
        if form is None:
            raise web.HTTPBadRequest(
                text=f"the protocols spoken here are {', '.join(form.name for form in self._forms)}"
            )
        return form, bool(offered)


def choose_form(offered: str | None, wanted: str | None, forms: Sequence[WebSocketFormat]) -> WebSocketFormat | None:
    """Return the form of a handshake: by offered subprotocols, else by the `format` asked for, else the first.

    None where the client insists on one that is not spoken.
    """
    if offered:
        names = [name.strip() for name in offered.split(",")]
        return next((form for name in names for form in forms if form.name == name), None)
    if wanted:
        return next((form for form in forms if form.name.endswith(f"-{wanted}")), None)
    return forms[0]


class WebSocketProtocol(TransportProtocol):
    """Read frames and hand them on; messages have at most `limit` bytes, unsent bytes are at most `unsent`."""

    __slots__ = ("_reader",)

    def __init__(self, listener: Listener[O], form: WireFormat, address: str, *, limit: int, unsent: int) -> None:
        super().__init__(listener, lambda transport: listener.open(form, transport, address), unsent=unsent)
        self._reader = FrameReader(limit)

    def data_received(self, data: bytes) -> None:
        """Hand on what has arrived whole."""
        outbox = self._outbox
        if outbox is not None:
            for event in self._reader.feed(data):
                self._happened(outbox, event)

    def _happened(self, outbox: WriteBuffer, event: Event) -> None:
        match event:
            case Received(data):
                self._listener.received(outbox, data)
            case Pinged(payload):
                self._listener.disturbed(outbox)
                outbox.put(pong_frame(payload))
            case Closed(answer):
                outbox.close(answer)
                outbox.transport.close()
            case Broken(disconnect):
                outbox.close(disconnect)
                # Closing at once would reset the connection under what the peer still sends, and hide the reason.
                asyncio.get_running_loop().call_later(_LINGER, outbox.transport.close)
            case _:
                self._listener.disturbed(outbox)
