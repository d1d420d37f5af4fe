"""A TCP proxy on loopback that can cut its connections or swallow what they carry."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from yarl import URL


class TcpProxy:
    """Carry bytes between clients and one server (a port, or the path of a unix socket), until told otherwise.

    `window` is how many bytes the system holds of each connection, at either end; without it, as many as it likes.
    """

    def __init__(self, target: int | str, *, window: int | None = None) -> None:
        self._target = target
        self._window = window
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self.thaw()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int | str, *, window: int | None = None) -> AsyncIterator[TcpProxy]:
        """Listen on a free port, stored in `port`, for the time of the block."""
        proxy = cls(target, window=window)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            proxy._server.close()
            await proxy.cut()

    def address(self, url: str) -> str:
        """Return a URL of the server as one that leads through here."""
        return str(URL(url).with_port(self.port))

    def lead_to(self, target: int | str) -> None:
        """Carry new connections to another server; those that stand stay."""
        self._target = target

    async def cut(self) -> int:
        """Reset every connection; new ones are taken. Return how many there were."""
        writers, pipes = list(self._writers), list(self._pipes)
        for writer in writers:
            writer.transport.abort()
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        return len(writers) // 2

    def freeze(self) -> None:
        """Swallow no byte and pass none on: connections stand, and nobody answers."""
        self._up.clear()
        self._down.clear()

    def mute(self) -> None:
        """Pass on nothing more that clients say; what they are told still arrives."""
        self._up.clear()

    def thaw(self) -> None:
        """Let the bytes flow again."""
        self._up.set()
        self._down.set()

    def abandon(self) -> None:
        """Let what stands carry nothing ever again, nor tell of its end; new connections work."""
        self.freeze()
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self.thaw()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._connect(self._target)
            if self._window is not None:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._window)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, target, flowing in ((reader, far_writer, self._up), (far_reader, writer, self._down)):
            pipe = asyncio.create_task(self._pipe(source, target, flowing))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _connect(self, target: int | str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(target, str):
            return await asyncio.open_unix_connection(target)
        far = socket.socket()
        far.setblocking(False)
        if self._window is not None:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        try:
            await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", target))
        except OSError:
            far.close()
            raise
        return await asyncio.open_connection(sock=far)

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    await flowing.wait()
                    target.write(data)
                    await target.drain()
        finally:
            self._writers.discard(target)
            target.transport.abort()
