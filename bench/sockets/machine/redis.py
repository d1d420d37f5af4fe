"""A Redis of the benchmark's own that ends with it, however it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.sockets.machine.processes import listens, serving
from tests.engines.private import free_port


@asynccontextmanager
async def redis_on(folder: Path) -> AsyncIterator[int]:
    """Run Debian's `redis-server`, as durable as in production, for the time of the block; yield its port."""
    port, data = free_port(), folder / "redis"
    data.mkdir()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data)]
    command += ["--appendonly", "yes", "--save", ""]
    async with serving(command, name="redis", folder=folder, ready=lambda: listens(port)):
        yield port
