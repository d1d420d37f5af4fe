"""Port of wire formats: how messages of the protocol become bytes of one kind of transport.

A wire format is a codec within a framing. A process has one instance of each, so that a message to many clients is
encoded once per format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from channels.contract.ports import Projection
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Command, Message


class WireFormat(Protocol):
    """Encoding and decoding of messages. `encode` is pure, so that its result can be shared between connections."""

    @property
    def name(self) -> str:
        """Return the name shown in logs."""
        ...

    @property
    def closes_by_frame(self) -> bool:
        """Return whether the peer answers the close message and ends the connection; otherwise the server ends it."""
        ...

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one frame or request body, at least one; raise `BadFrameError`."""
        ...

    def encode(self, message: Message) -> bytes:
        """Return the bytes of one message."""
        ...

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the last bytes of a connection, with the close code and reason."""
        ...


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class EventForm:
    """What the beginning of an event of one publication depends on: the selection, the format, the length of its end.

    There is one for equal values (`event_form`), so that it is found by its identity, which is faster.
    """

    projection: Projection
    wire_format: WireFormat
    tail: int


_forms: WeakValueDictionary[tuple[Projection, WireFormat, int], EventForm] = WeakValueDictionary()


def event_form(projection: Projection, wire_format: WireFormat, tail: int) -> EventForm:
    """Return the form of these values."""
    key = projection, wire_format, tail
    found = _forms.get(key)
    if found is None:
        found = _forms[key] = EventForm(*key)
    return found


class SharedMessage:
    """A message to many connections; encoded once per wire format, on first use.

    `channel` and `offset` are those of a publication; other messages have an empty channel. `event_heads` are the
    beginnings of GraphQL events of the message, and `responses` those of their responses that are alike for all forms,
    kept by the connections that share them.
    """

    __slots__ = ("_encoded", "channel", "event_heads", "message", "offset", "responses")

    def __init__(self, message: Message) -> None:
        self.message = message
        push = message.get("push", {})
        self.channel: str = push["channel"] if "pub" in push else ""
        self.offset: int = push["pub"].get("offset", 0) if self.channel else 0
        self._encoded: dict[WireFormat, bytes] = {}
        self.event_heads: dict[EventForm, bytes] = {}
        self.responses: dict[Projection, bytes] = {}

    def encoded_for(self, wire_format: WireFormat) -> bytes:
        """Return the message in one wire format."""
        encoded = self._encoded.get(wire_format)
        if encoded is None:
            encoded = self._encoded[wire_format] = wire_format.encode(self.message)
        return encoded
