"""Embedded engines that end are restarted, with backoff, until they have failed several times in a row."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from storage.embedded import supervisor
from storage.embedded.disk_space import DiskSpace
from storage.embedded.postgres import embedded_postgres
from storage.embedded.supervisor import EngineWatch, child, supervised
from storage.embedded.valkey import embedded_valkey
from storage.errors import EngineError, EngineLostError
from tests.support.eventually import DEADLINE, eventually

pytestmark = pytest.mark.engines

Opener = Callable[[], AbstractAsyncContextManager[asyncio.subprocess.Process]]


async def always() -> bool:
    """Return that the engine is ready."""
    return True


def engine(folder: Path, script: str) -> Opener:
    """Return an engine that is a shell script and ready at once."""
    return lambda: child(
        ["sh", "-c", script],
        name="demo",
        log_file=folder / "demo.log",
        stop_signal=signal.SIGTERM,
        ready=always,
        deadline=5,
    )


def started_pids(folder: Path) -> list[int]:
    """Return the process ids that the script `SLEEPER` has written."""
    file = folder / "pids"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


SLEEPER = "echo $$ >> {folder}/pids; exec sleep 600"


async def test_an_engine_that_ends_is_started_again(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed engine runs again after the delay, and is stopped at the end of the context."""
    monkeypatch.setattr(supervisor, "RESTART_DELAYS", (0.0, 0.0))
    opener = engine(short_dir, SLEEPER.format(folder=short_dir))
    with capture_logs() as logs:
        async with supervised(opener, name="demo", log_file=short_dir / "demo.log"):
            for number in (1, 2):
                await eventually(lambda number=number: len(started_pids(short_dir)) == number)  # type: ignore[misc]
                os.kill(started_pids(short_dir)[-1], signal.SIGKILL)
            await eventually(lambda: len(started_pids(short_dir)) == 3)
            assert psutil.pid_exists(started_pids(short_dir)[-1])
        assert not psutil.pid_exists(started_pids(short_dir)[-1])
    ended = [event for event in logs if event["event"] == "engine_ended"]
    assert [event["failures"] for event in ended] == [1, 2]
    assert "code -9" in ended[0]["reason"]


async def test_an_engine_that_ends_again_and_again_is_given_up(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After as many restarts as there are delays the watch raises one sentence with the end of the engine's log."""
    monkeypatch.setattr(supervisor, "RESTART_DELAYS", (0.0, 0.0))
    watch = EngineWatch()
    opener = engine(short_dir, "echo the disk is purple; exit 3")
    async with supervised(opener, name="demo", log_file=short_dir / "demo.log", watch=watch):
        with pytest.raises(EngineLostError) as lost:
            async with asyncio.timeout(DEADLINE):
                await watch.run()
    assert "failed 3 times in a row" in str(lost.value)
    assert "code 3: the disk is purple" in str(lost.value)


async def test_failed_restarts_count(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that cannot be started a second time is given up as well, with the reason of the start."""
    monkeypatch.setattr(supervisor, "RESTART_DELAYS", (0.0, 0.0))
    watch = EngineWatch()
    opener = engine(short_dir, SLEEPER.format(folder=short_dir))
    attempts: list[int] = []

    def once() -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        attempts.append(len(attempts))
        if len(attempts) > 1:
            raise EngineError("demo", "the disk is gone")
        return opener()

    async with supervised(once, name="demo", log_file=short_dir / "demo.log", watch=watch):
        await eventually(lambda: started_pids(short_dir))
        os.kill(started_pids(short_dir)[0], signal.SIGKILL)
        with pytest.raises(EngineLostError, match=r"failed 3 times in a row .*: the disk is gone$"):
            async with asyncio.timeout(DEADLINE):
                await watch.run()
    assert len(attempts) == 3


async def test_failures_of_a_stable_engine_do_not_add_up(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that ran for the stable time before each end is never given up."""
    monkeypatch.setattr(supervisor, "RESTART_DELAYS", (0.0,))
    monkeypatch.setattr(supervisor, "STABLE_TIME", -1.0)
    opener = engine(short_dir, SLEEPER.format(folder=short_dir))
    async with supervised(opener, name="demo", log_file=short_dir / "demo.log"):
        for number in range(1, 6):
            await eventually(lambda number=number: len(started_pids(short_dir)) == number)  # type: ignore[misc]
            os.kill(started_pids(short_dir)[-1], signal.SIGKILL)
        await eventually(lambda: len(started_pids(short_dir)) == 6)


async def test_on_a_full_disk_no_engine_is_given_up(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk is full an engine is restarted again and again; afterwards its failures count."""
    monkeypatch.setattr(supervisor, "RESTART_DELAYS", (0.0, 0.0))
    watch, space = EngineWatch(), DiskSpace(short_dir)
    space.full = True
    opener = engine(short_dir, SLEEPER.format(folder=short_dir).replace("exec sleep 600", "exit 1"))
    async with supervised(opener, name="demo", log_file=short_dir / "demo.log", watch=watch, space=space):
        await eventually(lambda: len(started_pids(short_dir)) > 6)
        space.full = False
        with pytest.raises(EngineLostError):
            async with asyncio.timeout(DEADLINE):
                await watch.run()


async def test_a_failed_first_start_is_not_repeated(short_dir: Path) -> None:
    """The error of the first start reaches the caller at once."""
    attempts: list[int] = []

    def fail() -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        attempts.append(1)
        raise EngineError("demo", "no such program")

    with pytest.raises(EngineError, match="no such program"):
        async with supervised(fail, name="demo", log_file=short_dir / "demo.log"):
            pass
    assert len(attempts) == 1


async def test_a_killed_postgresql_continues_with_its_data(short_dir: Path) -> None:
    """After SIGKILL the server is back by itself, with everything that was committed."""
    async with embedded_postgres(short_dir) as dsn:
        connection = await asyncpg.connect(dsn)
        await connection.execute("CREATE TABLE kept (n int)")
        await connection.execute("INSERT INTO kept VALUES (42)")
        os.kill(int((short_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)

        async def kept() -> bool:
            try:
                again = await asyncpg.connect(dsn, timeout=5)
            except (OSError, asyncpg.PostgresError) as error:
                raise AssertionError(str(error)) from error
            found = await again.fetchval("SELECT n FROM kept")
            await again.close()
            return bool(found == 42)

        await eventually(kept)
        connection.terminate()


async def test_a_stop_while_a_driver_hides_the_cancellation(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context ends although the check of a restarted engine returns as if nothing had been cancelled."""
    monkeypatch.setattr(supervisor, "RESTART_DELAYS", (0.0, 0.0))
    checks = 0
    checking = asyncio.Event()

    async def ready() -> bool:
        nonlocal checks
        checks += 1
        if checks > 1:
            checking.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return True

    def opener() -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        script = SLEEPER.format(folder=short_dir)
        return child(
            ["sh", "-c", script],
            name="demo",
            log_file=short_dir / "demo.log",
            stop_signal=signal.SIGTERM,
            ready=ready,
            deadline=60,
        )

    async with asyncio.timeout(DEADLINE), supervised(opener, name="demo", log_file=short_dir / "demo.log"):
        (first,) = await eventually(lambda: started_pids(short_dir))
        os.kill(first, signal.SIGKILL)
        await checking.wait()
    assert not any(psutil.pid_exists(pid) for pid in started_pids(short_dir))


async def test_a_killed_valkey_continues_with_its_data(short_dir: Path) -> None:
    """After SIGKILL the server is back by itself, at the same address, with everything that was written."""
    async with embedded_valkey(short_dir) as url:
        client = Redis.from_url(url)
        await client.set("kept", "42")
        info = await client.info("server")
        os.kill(int(info["process_id"]), signal.SIGKILL)

        async def kept() -> bool:
            try:
                return bool(await client.get("kept") == b"42")
            except (RedisError, OSError) as error:
                raise AssertionError(str(error)) from error

        await eventually(kept)
        assert (await client.info("server"))["process_id"] != info["process_id"]
        await client.aclose()
