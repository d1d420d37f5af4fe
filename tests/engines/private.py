"""Private engines of a test session: own processes, free ports or sockets, temporary directories."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from asyncio import Event, Runner
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage.embedded.supervisor import child


def free_port() -> int:
    """Return a TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def in_background(engine: Callable[[], AbstractAsyncContextManager[str]]) -> Iterator[str]:
    """Hold an async engine open in a thread with a loop of its own, so that it serves many tests' loops."""
    started = threading.Event()
    outcome: dict[str, str | BaseException] = {}
    release: list[Callable[[], object]] = []

    async def hold() -> None:
        stopped = Event()
        try:
            async with engine() as url:
                release.append(lambda: runner.get_loop().call_soon_threadsafe(stopped.set))
                outcome["url"] = url
                started.set()
                await stopped.wait()
        except BaseException as error:
            outcome["error"] = error
            started.set()
            raise

    runner = Runner()
    thread = threading.Thread(target=lambda: _run(runner, hold), daemon=True)
    thread.start()
    started.wait()
    url = outcome.get("url")
    if not isinstance(url, str):
        raise RuntimeError(f"an engine did not start: {outcome.get('error')}")
    try:
        yield url
    finally:
        release[0]()
        thread.join(timeout=30)


def _run(runner: Runner, hold: Callable[[], object]) -> None:
    with runner, contextlib.suppress(Exception):
        runner.run(hold())  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def redis_server(folder: Path, *, port: int = 0) -> AsyncIterator[str]:
    """Run Debian's `redis-server` on a unix socket, or on a loopback `port`; yield its URL."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise RuntimeError("redis-server is missing: run `make test`, which installs it")
    folder.mkdir(parents=True, exist_ok=True)
    where = ["--bind", "127.0.0.1", "--port", str(port)]
    url = f"redis://127.0.0.1:{port}"
    if not port:
        where = ["--port", "0", "--unixsocket", str(folder / "redis.sock")]
        url = f"unix://{folder / 'redis.sock'}"

    async def ready() -> bool:
        client = Redis.from_url(url)
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    async with child(
        [binary, *where, "--dir", str(folder), "--appendonly", "yes", "--save", ""],
        name="redis",
        log_file=folder / "redis.log",
        stop_signal=signal.SIGTERM,
        ready=ready,
        deadline=20,
    ):
        yield url


def kill(pid: int) -> None:
    """End a process of ours the hard way."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def run(*command: str) -> str:
    """Run a command to its end and return what it printed; raise when it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
