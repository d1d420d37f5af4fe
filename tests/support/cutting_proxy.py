"""A TCP proxy that cuts connections after given numbers of bytes, and forwards each to the next of several servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

_PIECE = 4096  # bytes


class CuttingProxy:
    """Forwards connections to `ports` in turn, and cuts number n after `cuts[n]` bytes of the client, if given."""

    def __init__(self, ports: Sequence[int], cuts: Sequence[int]) -> None:
        self._ports = ports
        self._cuts = cuts
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[CuttingProxy]:
        """Listen on a free port until the end of the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.connections = self.connections, self.connections + 1
        left = self._cuts[number] if number < len(self._cuts) else None
        there, outward = await asyncio.open_connection("127.0.0.1", self._ports[number % len(self._ports)])
        back = asyncio.create_task(_forward(there, writer, None))
        try:
            await _forward(reader, outward, left)
            if left is not None:
                # What has been sent should arrive before the end of the connection does.
                await outward.drain()
        finally:
            outward.close()
            if left is None:
                writer.close()
            else:
                writer.transport.abort()
            with suppress(ConnectionError, asyncio.CancelledError):
                await back


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
    with suppress(ConnectionError):
        while left is None or left > 0:
            data = await reader.read(_PIECE if left is None else min(left, _PIECE))
            if not data:
                return
            writer.write(data)
            await writer.drain()
            left = None if left is None else left - len(data)
