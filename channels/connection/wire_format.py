"""Port of wire formats: how messages of the protocol become bytes of one kind of transport.

A wire format is a codec within a framing. A process has one instance of each, so that a message to many clients is
encoded once per format.
"""

from __future__ import annotations

from typing import Protocol

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


class SharedMessage:
    """A message to many connections; encoded once per wire format, on first use."""

    __slots__ = ("_encoded", "_projected", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._encoded: dict[WireFormat, bytes] = {}
        self._projected: dict[Projection, bytes | None] | None = None

    def encoded_for(self, wire_format: WireFormat) -> bytes:
        """Return the message in one wire format."""
        encoded = self._encoded.get(wire_format)
        if encoded is None:
            encoded = self._encoded[wire_format] = wire_format.encode(self.message)
        return encoded

    def projected_by(self, projection: Projection) -> bytes | None:
        """Return the GraphQL response for this publication, or None; computed once per projection."""
        projected = self._projected
        if projected is None:
            projected = self._projected = {}
        if projection not in projected:
            projected[projection] = projection.project(bytes(self.message["push"]["pub"]["data"].data))
        return projected[projection]
