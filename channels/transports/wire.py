"""One WebSocket connection's bytes, between its transport and a conversation."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar, cast

from channels.form import Form
from channels.outbox import Outbox, Transport
from channels.transports.frames import pong_frame
from channels.transports.framing import Broken, Closed, Event, FrameReader, Pinged, Received

O = TypeVar("O", bound=Outbox)  # noqa: E741 - stands for outbox

_LINGER = 1.0  # seconds in which a peer that broke the rules can read why, before the connection ends


class Listener(Protocol[O]):
    """What hears a wire; every method returns at once."""

    def open(self, form: Form, transport: Transport, address: str) -> O:
        """Begin a conversation and return what it is answered through."""
        ...

    def received(self, outbox: O, data: bytes | str) -> None:
        """Hear a message."""
        ...

    def disturbed(self, outbox: O) -> None:
        """Learn of a ping or pong of WebSocket's own."""
        ...

    def overrun(self, outbox: O) -> None:
        """Learn that the peer has not taken more than it may leave."""
        ...

    def lost(self, outbox: O) -> None:
        """Learn that the connection is gone; called once, last."""
        ...


class Wire(asyncio.Protocol):
    """Read frames and hand them on; messages have at most `limit` bytes, unsent bytes are at most `unsent`."""

    __slots__ = ("_address", "_form", "_listener", "_outbox", "_reader", "_unsent")

    def __init__(self, listener: Listener[O], form: Form, address: str, *, limit: int, unsent: int) -> None:
        self._listener = cast(Listener[Outbox], listener)
        self._form = form
        self._address = address
        self._reader = FrameReader(limit)
        self._unsent = unsent
        self._outbox: Outbox | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the conversation."""
        sending = cast(asyncio.Transport, transport)
        sending.set_write_buffer_limits(high=self._unsent)
        self._outbox = self._listener.open(self._form, sending, self._address)

    def data_received(self, data: bytes) -> None:
        """Hand on what has arrived whole."""
        outbox = self._outbox
        if outbox is not None:
            for event in self._reader.feed(data):
                self._happened(outbox, event)

    def eof_received(self) -> bool:
        """End the connection: a client that does not send any more is gone. Where very many are, each has its turn."""
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

    def _happened(self, outbox: Outbox, event: Event) -> None:
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
