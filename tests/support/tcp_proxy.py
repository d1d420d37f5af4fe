"""A TCP proxy on loopback that can delay, cut, freeze or abandon its connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from yarl import URL


class TcpProxy:
    """Forwards bytes between clients and one server: a port, or the path of a unix socket.

    `window` limits the socket buffers of each connection at either end, in bytes. `delay` is the time in seconds that
    each byte is under way, in either direction; there may be any number of them at a time.
    """

    def __init__(self, target: int | str, *, window: int | None = None, delay: float = 0) -> None:
        self._target = target
        self._window = window
        self._delay = delay
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._refusing = False
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self.thaw()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int | str, *, window: int | None = None, delay: float = 0) -> AsyncIterator[TcpProxy]:
        """Listen on a free port, stored in `port`, until the end of the block."""
        proxy = cls(target, window=window, delay=delay)
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

    async def part(self) -> None:
        """Reset every connection, and those that are opened until `join`: what it connects cannot reach each other."""
        self._refusing = True
        await self.cut()

    def join(self) -> None:
        """Accept connections again."""
        self._refusing = False

    def delay_by(self, seconds: float) -> None:
        """Delay what passes on connections that are opened from now on."""
        self._delay = seconds

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
        if self._refusing:
            writer.transport.abort()
            return
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
                async for data in self._delayed(source) if self._delay else _chunks(source):
                    await flowing.wait()
                    target.write(data)
                    await target.drain()
        finally:
            self._writers.discard(target)
            target.transport.abort()

    async def _delayed(self, source: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """Iterate over what is read, each piece `delay` seconds after its arrival."""
        clock = asyncio.get_running_loop().time
        arrivals: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            with suppress(OSError):
                async for data in _chunks(source):
                    arrivals.put_nowait((clock() + self._delay, data))
            arrivals.put_nowait((clock() + self._delay, b""))

        reading = asyncio.create_task(read())
        try:
            while True:
                due, data = await arrivals.get()
                await asyncio.sleep(due - clock())
                if not data:
                    return
                yield data
        finally:
            reading.cancel()


async def _chunks(source: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while data := await source.read(65536):
        yield data
