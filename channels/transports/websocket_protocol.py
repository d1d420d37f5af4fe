"""One WebSocket connection's bytes: frames in, messages out."""

from __future__ import annotations

import asyncio

from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer
from channels.transports.framing import Broken, Closed, Event, FrameReader, Pinged, Received
from channels.transports.transport_protocol import Listener, O, TransportProtocol
from channels.transports.websocket_format import pong_frame

_LINGER = 1.0  # seconds in which a peer that broke the rules can read why, before the connection ends


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
