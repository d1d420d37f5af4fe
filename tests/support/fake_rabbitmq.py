"""A fake RabbitMQ that accepts connections, answers as much of the handshake as a test wants, and then goes silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pamqp import commands
from pamqp.base import Frame
from pamqp.frame import marshal

_HEADER_LENGTH = 8  # bytes of the protocol header, which the client sends first
_CLOSE = commands.Connection.Close.index.to_bytes(4, "big")  # the method's number, which its frame contains
# What the server sends, each after something arrived from the client.
HANDSHAKE: tuple[Frame, ...] = (
    commands.Connection.Start(server_properties={"capabilities": {"publisher_confirms": True}}),
    commands.Connection.Tune(channel_max=100, frame_max=131_072, heartbeat=10),
    commands.Connection.OpenOk(),
)


class FakeRabbit:
    """Sends the first `answers` frames of the handshake on each connection, and reads on until the client closes it.

    `connections` are those that no side has closed. With `reads` False it stops reading after the handshake.
    """

    def __init__(self, answers: int, *, reads: bool = True) -> None:
        self._answers = answers
        self._reads = reads
        self.connections: set[asyncio.StreamWriter] = set()
        self.accepted = 0
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def listening(cls, answers: int, *, reads: bool = True) -> AsyncIterator[FakeRabbit]:
        """Listen on a free port, which is part of `url`, until the end of the block."""
        fake = cls(answers, reads=reads)
        server = await asyncio.start_server(fake._serve, "127.0.0.1", 0)
        fake.url = f"amqp://guest:guest@127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            yield fake
        finally:
            server.close()
            fake.reset()

    def reset(self) -> None:
        """Reset every connection."""
        for writer in self.connections:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        self.accepted += 1
        try:
            await reader.readexactly(_HEADER_LENGTH)
            for number, frame in enumerate(HANDSHAKE[: self._answers]):
                if number:
                    await reader.read(1)
                writer.write(marshal(frame, 0))
            if not self._reads:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
            while data := await reader.read(65_536):
                if _CLOSE in data:
                    writer.write(marshal(commands.Connection.CloseOk(), 0))
        except (OSError, asyncio.IncompleteReadError):
            pass  # The client left in the middle of the handshake.
        finally:
            self.connections.discard(writer)
            writer.transport.abort()
