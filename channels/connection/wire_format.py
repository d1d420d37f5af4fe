"""The port of forms: how the messages of the protocol stand in what one kind of transport carries.

A form is a codec within a framing. There is one instance of each in a process, so that a message for many
is encoded once for each form and then written to all who take it.
"""

from __future__ import annotations

from typing import Protocol

from channels.protocol.codes import Disconnect
from channels.protocol.messages import Command, Message


class WireFormat(Protocol):
    """Translate between messages and the bytes on the wire; pure, so that results can be shared."""

    @property
    def name(self) -> str:
        """Return the name that logs show."""
        ...

    @property
    def closes_by_frame(self) -> bool:
        """Tell whether the peer answers a close_message and then ends the connection; else we end it."""
        ...

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of what came in one piece, at least one; raise `BadFrameError`."""
        ...

    def encode(self, message: Message) -> bytes:
        """Return the bytes that carry one message."""
        ...

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the last bytes of a connection, which say why it ends."""
        ...


class SharedMessage:
    """A message for many connections: encoded when a form first asks, and then never again."""

    __slots__ = ("_encoded", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._encoded: dict[WireFormat, bytes] = {}

    def encoded_for(self, wire_format: WireFormat) -> bytes:
        """Return the bytes in one form."""
        encoded = self._encoded.get(wire_format)
        if encoded is None:
            encoded = self._encoded[wire_format] = wire_format.encode(self.message)
        return encoded
