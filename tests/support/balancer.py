"""A small TCP load balancer on loopback: probes the readiness of processes and distributes connections."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import aiohttp

PROBE_INTERVAL = 0.1  # seconds


class Balancer:
    """Accepts connections at `url` and forwards them to ready processes in turn; `ports` may change at any time.

    `ready` has the ports whose last probe succeeded; `accepted` has a monotonic time and a port per connection.
    """

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.accepted: list[tuple[float, int]] = []
        self.url = ""
        self.ready: set[int] = set()
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Balancer]:
        """Run until the end of the block."""
        balancer = cls()
        server = await asyncio.start_server(balancer._accept, "127.0.0.1", 0)
        balancer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        probing = asyncio.create_task(balancer._probe())
        try:
            yield balancer
        finally:
            server.close()
            for task in (probing, *balancer._tasks):
                task.cancel()
            await asyncio.gather(probing, *balancer._tasks, return_exceptions=True)

    async def _probe(self) -> None:
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                for port in self.ports:
                    if await _is_ready(session, port):
                        self.ready.add(port)
                    else:
                        self.ready.discard(port)
                await asyncio.sleep(PROBE_INTERVAL)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in self._candidates():
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            self.accepted.append((time.monotonic(), port))
            for source, target in ((reader, far_writer), (far_reader, writer)):
                task = asyncio.create_task(_forward(source, target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        writer.transport.abort()

    def _candidates(self) -> Iterator[int]:
        ready = [port for port in self.ports if port in self.ready]
        first = next(self._turn)
        return (ready[(first + number) % len(ready)] for number in range(len(ready)))


async def _is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status == 200
    return False


async def _forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
    finally:
        target.close()
