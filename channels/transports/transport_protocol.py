"""asyncio protocol between a transport and the connection manager: the beginning and end of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer
from channels.protocol import codes
from channels.transports.poller import PolledProtocol

B = TypeVar("B", bound=WriteBuffer)

OpenConnection = Callable[[asyncio.Transport], B]


class TransportListener(Protocol[B]):
    """Callbacks of a transport; none may block."""

    def open(self, wire_format: WireFormat, transport: Transport, address: str) -> B:
        """Open a connection and return its write buffer."""
        ...

    def received(self, buffer: B, data: bytes | str) -> None:
        """Handle a message."""
        ...

    def pong(self, buffer: B) -> bool:
        """Handle a pong of the live protocol; return False to have it passed to `received` like any other message."""
        ...

    def control_frame(self, buffer: B) -> None:
        """Handle a WebSocket ping or pong frame."""
        ...

    def slow_consumer(self, buffer: B) -> None:
        """Handle a peer whose unsent bytes exceed the limit."""
        ...

    def lost(self, buffer: B) -> None:
        """Handle the loss of the connection; called once, last."""
        ...


class TransportProtocol(PolledProtocol):
    """Opens a connection when the transport is ready; the transport buffers at most `unsent` bytes.

    Data of the client is ignored: after the request of a streaming response no further data is expected.
    """

    __slots__ = ("_buffer", "_listener", "_open_connection", "_unsent")

    def __init__(self, listener: TransportListener[B], open_connection: OpenConnection[B], *, unsent: int) -> None:
        self._listener = cast(TransportListener[WriteBuffer], listener)
        self._open_connection = open_connection
        self._unsent = unsent
        self._buffer: WriteBuffer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the connection."""
        sending = cast(asyncio.Transport, transport)
        sending.set_write_buffer_limits(high=self._unsent)
        self._buffer = self._open_connection(sending)

    def data_received(self, data: bytes) -> None:
        """Ignore the data."""

    def eof_received(self) -> bool:
        """Stop writing, and let the transport close: the peer has closed its side."""
        if self._buffer is not None:
            self._buffer.mark_closed(codes.NORMAL)
        return False

    def pause_writing(self) -> None:
        """Report a slow consumer: the unsent bytes exceed the limit."""
        if self._buffer is not None:
            self._listener.slow_consumer(self._buffer)

    def resume_writing(self) -> None:
        """Do nothing: a slow consumer is being closed already."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss of the connection."""
        del exc
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._listener.lost(buffer)
