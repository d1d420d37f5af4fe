"""Encoding of WebSocket frames of a server (RFC 6455, section 5.2): unmasked and unfragmented."""

from __future__ import annotations

import struct
from typing import Protocol

from channels.connection.wire_format import WireFormat
from channels.protocol.codec import Codec
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Command, Message

TEXT, BINARY, _CLOSE, PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL = _MASKED = 0x80
_MASK_BYTES = 4


def frame(opcode: int, payload: bytes) -> bytes:
    """Return one final frame with its header."""
    return frame_header(opcode, len(payload)) + payload


def frame_header(opcode: int, size: int) -> bytes:
    """Return the header of a final frame with a payload of `size` bytes."""
    if size < 126:
        return bytes((_FINAL | opcode, size))
    if size < 1 << 16:
        return struct.pack(">BBH", _FINAL | opcode, 126, size)
    return struct.pack(">BBQ", _FINAL | opcode, 127, size)


def pong_frame(payload: bytes) -> bytes:
    """Return the reply to a WebSocket ping (the live protocol has pings of its own)."""
    return frame(_PONG, payload)


def close_frame(disconnect: Disconnect) -> bytes:
    """Return a close frame."""
    return frame(_CLOSE, struct.pack(">H", disconnect.code) + disconnect.reason.encode())


class FrameFormat(WireFormat, Protocol):
    """A wire format of WebSocket frames."""

    def is_pong(self, data: bytes) -> bool:
        """Return whether the data are one frame of a client with the shortest pong and nothing else."""
        ...


class WebSocketFormat:
    """Messages of one codec, each in one frame."""

    closes_by_frame = True

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._opcode = BINARY if codec.binary else TEXT
        self.name = codec.name
        # A pong has one or two bytes, so the first and the last one are all of it.
        self._pong_size = 2 + _MASK_BYTES + len(codec.pong)
        self._pong_head = bytes((_FINAL | self._opcode, _MASKED | len(codec.pong)))
        self._pong_first, self._pong_last = codec.pong[0], codec.pong[-1]
        self._pong_last_mask = 1 + len(codec.pong)

    def is_pong(self, data: bytes) -> bool:
        """Return whether the data are one frame of a client with the shortest pong and nothing else."""
        return (
            len(data) == self._pong_size
            and data.startswith(self._pong_head)
            and data[2] ^ data[2 + _MASK_BYTES] == self._pong_first
            and data[self._pong_last_mask] ^ data[-1] == self._pong_last
        )

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one message; raise `BadFrameError`."""
        return self._codec.decode(data)

    def encode(self, message: Message) -> bytes:
        """Return the frame of a message."""
        return frame(self._opcode, self._codec.encode(message))

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the close frame."""
        return close_frame(disconnect)
