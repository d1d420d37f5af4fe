"""Messages between the parent and a tester process: four bytes of length, big-endian, and a msgpack map."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgpack

_HEAD = struct.Struct(">I")


def pack(message: dict[str, Any]) -> bytes:
    """Return a message with its length."""
    body: bytes = msgpack.packb(message)
    return _HEAD.pack(len(body)) + body


async def read(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message; None when the other process has closed the stream or died."""
    try:
        size = _HEAD.unpack(await stream.readexactly(_HEAD.size))[0]
        message: dict[str, Any] = msgpack.unpackb(await stream.readexactly(size), strict_map_key=False)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message
