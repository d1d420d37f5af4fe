"""A private Redis server that ends with the benchmark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.sockets.machine.processes import accepts_connections, run_server
from tests.engines.private import free_port


@asynccontextmanager
async def redis_on(folder: Path) -> AsyncIterator[int]:
    """Run Debian's `redis-server` with the durability of production until the end of the block; yield its port."""
    port, data = free_port(), folder / "redis"
    data.mkdir()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data)]
    command += ["--appendonly", "yes", "--save", ""]
    async with run_server(command, name="redis", folder=folder, ready=lambda: accepts_connections(port)):
        yield port
