"""A TCP proxy on loopback that can cut, freeze, delay or abandon its connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from yarl import URL


class TcpProxy:
    """Forwards bytes between clients and one server: a port, or the path of a unix socket.

    `window` limits the socket buffers of each connection at either end, in bytes. Everything that passes is late by
    `delay` seconds.
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
        self.delay = 0.0

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int | str, *, window: int | None = None) -> AsyncIterator[TcpProxy]:
        """Listen on a free port, stored in `port`, until the end of the block."""
        proxy = cls(target, window=window)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            proxy._server.close()
            await proxy.cut()

    def address(self, url: str) -> str:
        """Return a URL of the server with the port of this proxy."""
        return str(URL(url).with_port(self.port))

    def redirect_to(self, target: int | str) -> None:
        """Forward new connections to another server; open connections stay."""
        self._target = target

    async def cut(self) -> int:
        """Reset every connection and return their number; new ones are accepted."""
        writers, pipes = list(self._writers), list(self._pipes)
        for writer in writers:
            writer.transport.abort()
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        return len(writers) // 2

    def freeze(self) -> None:
        """Stop forwarding in both directions; connections stay open."""
        self._up.clear()
        self._down.clear()

    def freeze_client_data(self) -> None:
        """Stop forwarding from clients; the data for them still arrives."""
        self._up.clear()

    def thaw(self) -> None:
        """Forward again."""
        self._up.set()
        self._down.set()

    def abandon_connections(self) -> None:
        """Never forward on the open connections again, not even their end; new connections work."""
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
                    if self.delay:
                        await asyncio.sleep(self.delay)
                    target.write(data)
                    await target.drain()
        finally:
            self._writers.discard(target)
            target.transport.abort()
