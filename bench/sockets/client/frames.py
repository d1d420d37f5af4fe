"""WebSocket frames as the clients need them (RFC 6455, section 5.2): write short texts, read complete frames."""

from __future__ import annotations

import struct

_FINAL, _TEXT, _CLOSE, _MASKED = 0x80, 0x1, 0x8, 0x80


class BadServerFrameError(Exception):
    """A server sent a frame that this reader does not support: a fragment, a mask, compression, or a control frame."""


def server_frame(payload: bytes) -> bytes:
    """Return a final text frame as servers send it."""
    return bytes((_FINAL | _TEXT, *_length(len(payload), 0))) + payload


def client_frame(payload: bytes) -> bytes:
    """Return a final text frame as clients send it; the mask is zero, which costs the server as much as any other."""
    return bytes((_FINAL | _TEXT, *_length(len(payload), _MASKED), 0, 0, 0, 0)) + payload


def split_frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the payloads of the complete text or binary frames in `data`, and the bytes after them.

    Raises `BadServerFrameError`.
    """
    payloads, at = [], 0
    while len(data) - at >= 2:
        head, size, start = data[at], data[at + 1], at + 2
        if head & 0xF0 != _FINAL or head & 0x0F >= _CLOSE or size & _MASKED:
            raise BadServerFrameError(f"{data[at : at + 40]!r}")
        if size >= 126:
            wide = ">H" if size == 126 else ">Q"
            start += struct.calcsize(wide)
            if len(data) < start:
                break
            (size,) = struct.unpack_from(wide, data, at + 2)
        if len(data) < start + size:
            break
        payloads.append(data[start : start + size])
        at = start + size
    return payloads, data[at:]


def _length(size: int, mask: int) -> bytes:
    if size < 126:
        return bytes((mask | size,))
    if size < 1 << 16:
        return struct.pack(">BH", mask | 126, size)
    return struct.pack(">BQ", mask | 127, size)
