"""`GET /feed` (20 photos, authenticated, rate-limited) against a handler that returns the same bytes from memory.

That handler stands in the same application, behind the same edge, and once more in a bare one. All are served by one
process (`bench.feed_server`), in turn, to the same client; the ratios are those of each round.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.report import Figure, figure
from storage.embedded.postgres import embedded_postgres
from storage.migrate import migrate
from tests.engines.private import free_port, redis_server

GROUP = "GET /feed, 20 photos"
CONNECTIONS = 32
API, MEMORY = "/api/v1/feed?limit=20", "/bench/memory"


async def measure(*, quick: bool) -> list[Figure]:
    """Return both rates and their ratio."""
    runs, seconds = (3, 1.0) if quick else (7, 3.0)
    async with _server() as (port, memory_port, token):
        await _rate(port, API, token, 1.0)
        feed, memory, bare = [], [], []
        for _ in range(runs):
            feed.append(await _rate(port, API, token, seconds))
            memory.append(await _rate(port, MEMORY, token, seconds))
            bare.append(await _rate(memory_port, MEMORY, token, seconds))
    return [
        figure(GROUP, "the service", "/s", feed),
        figure(GROUP, "same bytes from memory, same application", "/s", memory),
        figure(GROUP, "same bytes from memory, bare aiohttp, same process", "/s", bare),
        figure(GROUP, "ratio to the same application", "×", _ratios(feed, memory), at_least=0.4),
        figure(GROUP, "ratio to bare aiohttp", "×", _ratios(feed, bare), at_least=0.4),
    ]


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[int, int, str]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis_url = stack.enter_context(redis_server(folder / "redis"))
        await migrate(dsn)
        port, memory_port = free_port(), free_port()
        environment = {
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_REDIS__URL": redis_url,
            "PICSHARE_BROKER__URL": "amqp://127.0.0.1/unused",
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_LIMITS__READS": "100000000/m",
            "PICSHARE_SERVER__PORT": str(port),
        }
        command = [sys.executable, "-m", "bench.feed_server", str(memory_port)]
        with (folder / "server.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
            )
        stack.push_async_callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout is not None
        token = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        assert token, (folder / "server.log").read_text()[-3000:]
        yield port, memory_port, token


async def _rate(port: int, path: str, token: str, seconds: float) -> float:
    """Return answers a second over some connections that each ask again as soon as they are answered."""
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask(port, path, token, until) for _ in range(CONNECTIONS)))
    return sum(counts) / seconds


async def _ask(port: int, path: str, token: str, until: float) -> int:
    """Send requests over one connection, reading no more of an answer than its length: the cores are the server's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    count = 0
    try:
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            count += 1
    finally:
        writer.close()
    return count
