"""The reserve of the data directory, and the append-only file of Valkey on a full disk."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from storage.embedded.disk_space import DiskSpace
from storage.embedded.valkey import embedded_valkey
from storage.errors import FullError
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines

MB = 1 << 20
RESERVE = 8 * MB


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns, in bytes."""

    total: int
    used: int
    free: int


class Disk:
    """A disk whose free space the test sets; what the reserve occupies counts as used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.total = 1000 * MB
        self.unused = 100 * MB  # bytes that are free or in the reserve

    @property
    def reserve(self) -> int:
        """Return the size of the reserve on the disk, in bytes."""
        file = self.folder / "reserve"
        return file.stat().st_size if file.exists() else 0

    def usage(self, _path: object) -> Usage:
        """Return the usage of the disk."""
        return Usage(self.total, 0, self.unused - self.reserve)


@pytest.fixture
def disk(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A disk with enough space."""
    disk = Disk(short_dir)
    monkeypatch.setattr(shutil, "disk_usage", disk.usage)
    yield disk
    monkeypatch.undo()


async def test_the_reserve_is_given_up_on_a_full_disk_and_taken_again(disk: Disk) -> None:
    """What stores something is refused from the moment on when less than a quarter of the reserve is free."""
    space = DiskSpace(disk.folder, reserve=RESERVE)
    async with space.watched():
        assert disk.reserve == RESERVE
        assert (disk.folder / "reserve").stat().st_blocks * 512 >= RESERVE, "it occupies its size"
        space.require()
        disk.unused = RESERVE + RESERVE // 4 - 1
        await space.changed_from(False)
        assert disk.reserve == 0
        with pytest.raises(FullError):
            space.require()
        disk.unused = RESERVE + RESERVE // 2
        await space.changed_from(True)
        assert disk.reserve == RESERVE
        space.require()
    assert disk.reserve == RESERVE, "it is there for a start on a full disk"


async def test_a_start_on_a_full_disk_gives_the_reserve_up_first(disk: Disk) -> None:
    """The reserve of an earlier run is given up before anything else starts."""
    async with DiskSpace(disk.folder, reserve=RESERVE).watched():
        pass
    disk.unused = RESERVE
    space = DiskSpace(disk.folder, reserve=RESERVE)
    async with space.watched():
        assert space.full
        assert disk.reserve == 0


async def test_a_small_disk_has_a_small_reserve_and_zero_means_none(disk: Disk) -> None:
    """The reserve is at most an eighth of the disk; without one, the disk never counts as full."""
    disk.total = 40 * MB
    async with DiskSpace(disk.folder, reserve=RESERVE).watched():
        assert disk.reserve == 5 * MB
    (disk.folder / "reserve").unlink()
    disk.unused = 0
    space = DiskSpace(disk.folder, reserve=0)
    async with space.watched():
        space.require()
    assert disk.reserve == 0


async def test_a_failure_to_take_the_reserve_is_logged_once(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without file descriptors nothing changes, and the reserve is taken when there are some."""
    disk.unused = 0
    space = DiskSpace(disk.folder, reserve=RESERVE)
    attempts: list[object] = []

    def fail(path: object, *_: object) -> int:
        attempts.append(path)
        raise OSError(errno.EMFILE, "too many open files")

    with capture_logs() as logs:
        async with space.watched():
            with monkeypatch.context() as patched:
                patched.setattr(os, "open", fail)
                disk.unused = 100 * MB
                await eventually(lambda: len(attempts) >= 2)
                assert space.full
            await space.changed_from(True)
    assert [event["event"] for event in logs] == ["disk_full", "disk_reserve_failed", "disk_has_space"]


async def killed(client: Redis) -> None:
    """Kill the server of a client, and wait until its successor answers."""
    pid = (await client.info("server"))["process_id"]
    os.kill(pid, 9)

    async def answers() -> bool:
        try:
            return bool((await client.info("server"))["process_id"] != pid)
        except (RedisError, OSError) as error:
            raise AssertionError(str(error)) from error

    await eventually(answers)


async def test_valkey_keeps_its_data_in_memory_while_the_disk_is_full(disk: Disk) -> None:
    """A Valkey that is killed after a full disk has all data, and one that is killed during it has no old ones."""
    space, files = DiskSpace(disk.folder, reserve=RESERVE), disk.folder / "valkey" / "appendonlydir"
    async with space.watched(), embedded_valkey(disk.folder, space=space) as url:
        client = Redis.from_url(url)
        await client.set("before", 1)
        disk.unused = 0
        await eventually(lambda: not list(files.iterdir()))
        await client.set("meanwhile", 1)
        disk.unused = 100 * MB
        await eventually(lambda: list(files.glob("*.manifest")))
        await client.set("after", 1)
        await killed(client)
        assert await client.mget("before", "meanwhile", "after") == [b"1", b"1", b"1"]

        disk.unused = 0
        await eventually(lambda: not list(files.iterdir()))
        await client.delete("before")
        await killed(client)
        assert await client.get("before") is None
        assert (await client.info("persistence"))["aof_enabled"] == 0
        await client.aclose()
