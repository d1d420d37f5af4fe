"""A group of serving processes: one that ends is replaced, a failed first start ends all, none outlives the parent."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from server.operation import process_group
from server.operation.process_group import ProcessGroup
from tests.support import serving_child
from tests.support.eventually import eventually

CHILD = [sys.executable, serving_child.__file__]
PATIENCE = 60.0  # seconds
PARENT = """
import asyncio, socket, sys
from server.operation.process_group import ProcessGroup
with socket.create_server(("127.0.0.1", 0)) as listener:
    asyncio.run(ProcessGroup(sys.argv[1:], 2, service=[listener]).run())
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A bound socket."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound


async def pids_of(group: ProcessGroup) -> set[int]:
    """Return the ids of the processes of a group that answer."""
    return {int(number) for number in re.findall(rb'pid\{process="\d"\} (\d+)', await group.metrics())}


async def test_a_process_that_is_killed_is_replaced(listener: socket.socket) -> None:
    """The others go on, the count of restarts rises, and SIGTERM ends all with the exit code 0."""
    group = ProcessGroup([*CHILD, "serve"], 2, service=[listener])
    running = asyncio.create_task(group.run())

    async def complete() -> set[int]:
        pids = await pids_of(group)
        assert len(pids) == 2
        assert b"picshare_serving_processes 2.0" in await group.metrics()
        return pids

    before = await eventually(complete, within=PATIENCE)
    killed = before.pop()
    os.kill(killed, signal.SIGKILL)
    # Only a complete group that is another one than before.
    await eventually(lambda: not psutil.pid_exists(killed), within=PATIENCE)
    after = await eventually(complete, within=PATIENCE)
    assert before < after
    assert b"picshare_serving_process_restarts_total 1.0" in await group.metrics()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        assert await running == 0
    assert not any(psutil.pid_exists(pid) for pid in after)


async def test_a_process_that_always_ends_is_restarted_more_and_more_seldom(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delay doubles with each end, up to a limit."""
    monkeypatch.setattr(process_group, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(process_group, "LONGEST_DELAY", 0.004)
    delays: list[float] = []

    class Log:
        """Records the delays."""

        def warning(self, event: str, *, retry_seconds: float, **_: object) -> None:
            """Record one."""
            assert event == "serving_process_ended"
            delays.append(retry_seconds)
            if len(delays) == 4:
                group.stop()

    monkeypatch.setattr(process_group, "log", Log())
    group = ProcessGroup([*CHILD, "crash"], 1, service=[listener])
    async with asyncio.timeout(PATIENCE):
        await group.run()
    assert delays == [0.001, 0.002, 0.004, 0.004]


async def test_a_failed_first_start_ends_all(listener: socket.socket) -> None:
    """What prevents the start of one process prevents that of each, so the group ends with its exit code."""
    async with asyncio.timeout(PATIENCE):
        assert await ProcessGroup([*CHILD, "fail"], 2, service=[listener]).run() == 2


async def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    """A process sees the end of its parent at once."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        *CHILD,
        "serve",
        env={**os.environ, "PYTHONPATH": str(Path(process_group.__file__).parents[2])},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert [await parent.stdout.readline() for _ in range(2)] == [b"started\n"] * 2
    children = psutil.Process(parent.pid).children()
    parent.kill()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=PATIENCE)
    for left in alive:
        left.kill()
    # Its output ends with the last process that has inherited it.
    await parent.wait()
    assert alive == []
