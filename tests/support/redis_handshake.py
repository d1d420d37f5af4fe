"""The handshake of a fake Redis server."""

from __future__ import annotations

import asyncio

from storage.redis.stale_data import CHECKS

_LENGTH = sum(map(len, CHECKS))


async def answer_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a new connection's questions as a server does whose data are of its present run."""
    await reader.readexactly(_LENGTH)
    writer.write(b"*2\r\n:0\r\n$3\r\nrun\r\n" * len(CHECKS))
