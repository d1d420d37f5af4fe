"""One streaming answer's bytes: they only go out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from channels.outbox import Outbox
from channels.transports.wire import Listener, O

Begin = Callable[[asyncio.Transport], O]


class StreamWire(asyncio.Protocol):
    """Begin a conversation by `begin`, and end it with the connection; what the client still sends is ignored."""

    __slots__ = ("_begin", "_listener", "_outbox", "_unsent")

    def __init__(self, listener: Listener[O], begin: Begin[O], *, unsent: int) -> None:
        self._listener = cast(Listener[Outbox], listener)
        self._begin = begin
        self._unsent = unsent
        self._outbox: Outbox | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the conversation."""
        sending = cast(asyncio.Transport, transport)
        sending.set_write_buffer_limits(high=self._unsent)
        self._outbox = self._begin(sending)

    def data_received(self, data: bytes) -> None:
        """Ignore it: a request behind this one is never answered, since this answer ends with the connection."""

    def eof_received(self) -> bool:
        """End the connection; where very many end, each has its turn."""
        if self._outbox is None:
            return False
        self._outbox.peer_gone()
        return True

    def pause_writing(self) -> None:
        """Tell that more lies unsent than may."""
        if self._outbox is not None:
            self._listener.overrun(self._outbox)

    def resume_writing(self) -> None:
        """Do nothing: who was too slow is on the way out."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the conversation."""
        del exc
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            self._listener.lost(outbox)
