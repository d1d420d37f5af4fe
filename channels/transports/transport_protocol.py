"""A connection between its transport and a conversation: how it begins, is too slow, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer
from channels.protocol import codes

B = TypeVar("B", bound=WriteBuffer)

Begin = Callable[[asyncio.Transport], B]


class TransportListener(Protocol[B]):
    """What hears a wire; every method returns at once."""

    def open(self, wire_format: WireFormat, transport: Transport, address: str) -> B:
        """Begin a conversation and return what it is answered through."""
        ...

    def received(self, buffer: B, data: bytes | str) -> None:
        """Handle a message."""
        ...

    def control_frame(self, buffer: B) -> None:
        """Learn of a ping or pong of WebSocket's own."""
        ...

    def slow_consumer(self, buffer: B) -> None:
        """Learn that the peer has not taken more than it may leave."""
        ...

    def lost(self, buffer: B) -> None:
        """Learn that the connection is gone; called once, last."""
        ...


class TransportProtocol(asyncio.Protocol):
    """Begin a conversation by `begin`, and end it with the connection; unsent bytes are at most `unsent`.

    What the client sends is ignored, as behind a request whose answer ends only with the connection.
    """

    __slots__ = ("_begin", "_buffer", "_listener", "_unsent")

    def __init__(self, listener: TransportListener[B], begin: Begin[B], *, unsent: int) -> None:
        self._listener = cast(TransportListener[WriteBuffer], listener)
        self._begin = begin
        self._unsent = unsent
        self._buffer: WriteBuffer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the conversation."""
        sending = cast(asyncio.Transport, transport)
        sending.set_write_buffer_limits(high=self._unsent)
        self._buffer = self._begin(sending)

    def data_received(self, data: bytes) -> None:
        """Ignore it."""

    def eof_received(self) -> bool:
        """End the connection: nothing is written any more to a peer that has ended its side."""
        if self._buffer is not None:
            self._buffer.mark_closed(codes.NORMAL)
        return False

    def pause_writing(self) -> None:
        """Tell that more lies unsent than may."""
        if self._buffer is not None:
            self._listener.slow_consumer(self._buffer)

    def resume_writing(self) -> None:
        """Do nothing: who was too slow is on the way out."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the conversation."""
        del exc
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._listener.lost(buffer)
