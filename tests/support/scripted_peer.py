"""A peer at the end of a TCP connection that does what a test says, well or badly."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """The port, the number of connections so far, and the requests that have arrived, without their bodies.

    `behave` writes what the peer sends, after the header of a request if it `reads` one; then the connection is closed,
    or is neither read nor closed if it is to `linger`.
    """

    behave: Behaviour
    reads: bool = True
    linger: bool = False
    port: int = 0
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # after each connection

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            if self.reads:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self.behave(writer)
            if self.linger:
                await hang(writer)
        finally:
            writer.transport.abort() if self.behave is reset else writer.close()
            self.ended.set()


@asynccontextmanager
async def scripted_peer(
    behave: Behaviour, tls: ssl.SSLContext | None = None, *, reads: bool = True
) -> AsyncIterator[Peer]:
    """Run a peer at 127.0.0.1 until the end of the block."""
    peer, tasks = Peer(behave, reads), set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def serve() -> None:
            # The client may end the connection at any time.
            with suppress(OSError, EOFError, RuntimeError, asyncio.CancelledError):
                await peer.serve(reader, writer)

        tasks.add(asyncio.create_task(serve()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # the transports close in the next turn of the loop


def sends(*parts: bytes) -> Behaviour:
    """Return the behaviour of a peer that sends bytes and closes the connection."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return behave


def responds(body: bytes = b"", *headers: str, status: str = "200 OK") -> Behaviour:
    """Return the behaviour of a peer that sends a valid response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return sends("\r\n".join(lines).encode() + body)


def repeats(first: bytes, more: bytes, *, pause: float = 0.0) -> Behaviour:
    """Return the behaviour of a peer that never ends, `pause` seconds between two parts."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave


async def hang(_writer: asyncio.StreamWriter) -> None:
    """Send nothing."""
    await asyncio.Event().wait()


async def reset(_writer: asyncio.StreamWriter) -> None:
    """Send nothing, and reset the connection."""
