"""Private engines of a test session, with their own processes, free ports or sockets, and temporary directories."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from asyncio import Event, Runner
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import redis
from redis.exceptions import RedisError

START_DEADLINE = 60.0  # seconds
SHIPPED = Path(__file__).parents[2] / "deploy" / "redis"
_PASSWORD = "change-me"  # that of the shipped files


# Below the kernel's range for outgoing connections (ip_local_port_range), of which tests open thousands.
_PORTS = range(12_000, 32_000)
_used: set[int] = set()


def free_port() -> int:
    """Return a TCP port that is free now and that was not returned before."""
    while True:
        port = secrets.choice(_PORTS)
        if port in _used:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _used.add(port)
            return port


@contextmanager
def in_background(engine: Callable[[], AbstractAsyncContextManager[str]]) -> Iterator[str]:
    """Run an async engine in a thread with its own event loop, so that it outlives the loops of the tests."""
    started = threading.Event()
    outcome: dict[str, str | BaseException] = {}
    release: list[Callable[[], object]] = []

    async def run() -> None:
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
    thread = threading.Thread(target=lambda: _run(runner, run), daemon=True)
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


def _run(runner: Runner, run: Callable[[], object]) -> None:
    with runner, contextlib.suppress(Exception):
        runner.run(run())  # type: ignore[arg-type]


class RedisNode:
    """Debian's `redis-server` on a loopback port; it can be frozen, or killed and restarted with its data.

    `shipped` is the name of a file in `deploy/redis`, which `options` extend.
    """

    def __init__(self, folder: Path, port: int, options: Sequence[str] = (), *, shipped: str | None = None) -> None:
        self.folder = folder
        self.port = port
        self._options = options
        self._shipped = shipped
        self._process: subprocess.Popen[bytes] | None = None
        self.password = None if shipped is None else _PASSWORD
        self.url = f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{port}"

    def start(self) -> None:
        """Start it and wait until it answers; raise RuntimeError with its log if it does not."""
        binary = shutil.which("redis-server")
        if binary is None:
            raise RuntimeError("redis-server is missing: run `make test`, which installs it")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [binary] if self._shipped is None else [binary, str(self._configuration(self._shipped))]
        command += ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            # By default a master waits for more replicas before it sends its data, and for them when it stops.
            command += ["--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0"]
            command += ["--appendonly", "yes", "--save", "", *self._options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        client = redis.Redis(port=self.port, password=self.password)
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(RedisError, OSError):
                if client.ping():
                    client.close()
                    return
            time.sleep(0.02)
        raise RuntimeError(f"Redis did not start: {(self.folder / 'redis.log').read_text()[-2000:]}")

    def _configuration(self, name: str) -> Path:
        """Write the shipped files, of which paths and the memory are replaced, and return the one to start with."""
        for file in SHIPPED.glob("*.conf"):
            text = file.read_text().replace("/etc/redis", str(self.folder)).replace("maxmemory 4gb", "maxmemory 256mb")
            (self.folder / file.name).write_text(text)
        return self.folder / name

    def is_running(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """Suspend the process: connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the process."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it if it runs."""
        if self._process is not None and self.is_running():
            # Repeated, because Redis refuses to end while it writes the first append-only file after a synchronisation.
            for _ in range(20):
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(1)
                    return
            raise RuntimeError(f"redis-server at port {self.port} does not stop")


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run Debian's `redis-server` until the end of the block; yield its URL."""
    node = RedisNode(folder, free_port())
    node.start()
    try:
        yield node.url
    finally:
        node.stop()
