"""WebSocket frames as bytes (RFC 6455, section 5.2), unmasked and unfragmented, as a server sends them."""

from __future__ import annotations

import struct

from channels.protocol.codec import Codec
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Message

_TEXT, _BINARY, _CLOSE, _PONG = 0x1, 0x2, 0x8, 0xA
_FINAL = 0x80


def frame(opcode: int, payload: bytes) -> bytes:
    """Return one final frame with its header."""
    size = len(payload)
    if size < 126:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 1 << 16:
        return struct.pack(">BBH", _FINAL | opcode, 126, size) + payload
    return struct.pack(">BBQ", _FINAL | opcode, 127, size) + payload


def message_frame(codec: Codec, message: Message) -> bytes:
    """Return a message as the frame that carries it."""
    return frame(_BINARY if codec.binary else _TEXT, codec.encode(message))


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a WebSocket ping (not to be confused with the protocol's own pings)."""
    return frame(_PONG, payload)


def close_frame(disconnect: Disconnect) -> bytes:
    """Return the frame that closes a connection."""
    return frame(_CLOSE, struct.pack(">H", disconnect.code) + disconnect.reason.encode())


class SharedFrame:
    """A message for many connections: encoded when a codec first asks, and then never again."""

    __slots__ = ("_frames", "_message")

    def __init__(self, message: Message) -> None:
        self._message = message
        self._frames: dict[str, bytes] = {}

    def for_codec(self, codec: Codec) -> bytes:
        """Return the frame in one codec's form."""
        encoded = self._frames.get(codec.name)
        if encoded is None:
            encoded = self._frames[codec.name] = message_frame(codec, self._message)
        return encoded
