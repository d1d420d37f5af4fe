"""Servers under test as child processes that end with the benchmark, even when it is killed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from storage.embedded.supervisor import child, log_tail
from tests.engines.private import free_port

START_DEADLINE = 60.0  # seconds


@asynccontextmanager
async def run_server(
    command: Sequence[str], *, name: str, folder: Path, ready: Callable[[], Awaitable[bool]]
) -> AsyncIterator[int]:
    """Run a server for the time of the block and yield its process id; raise `EngineError` when it does not start.

    The last lines of the server's log are attached to an exception raised within the block.
    """
    log_file = folder / f"{name}.log"
    async with child(
        command,
        name=name,
        log_file=log_file,
        stop_signal=signal.SIGTERM,
        ready=ready,
        deadline=START_DEADLINE,
    ) as process:
        try:
            yield process.pid
        except Exception as error:
            error.add_note(f"last lines of the log of {name}: {log_tail(log_file, lines=10)}")
            raise


async def accepts_connections(port: int) -> bool:
    """Return whether a server accepts connections on a loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def run_redis(folder: Path) -> AsyncIterator[int]:
    """Run Debian's `redis-server` with the durability of production until the end of the block; yield its port."""
    port, data = free_port(), folder / "redis"
    data.mkdir()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data)]
    command += ["--appendonly", "yes", "--save", ""]
    async with run_server(command, name="redis", folder=folder, ready=lambda: accepts_connections(port)):
        yield port
