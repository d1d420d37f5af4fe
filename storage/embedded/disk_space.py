"""Space on the file system of the data directory: a reserve that is given up when the rest runs out.

A PostgreSQL that cannot extend its log ends with a PANIC, and a Valkey that cannot extend its append-only file refuses
all writes, also those that a read needs. So space is kept for what must go on while the disk is full: reading and
deleting. What stores something new is refused as long as the reserve is not held.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import structlog

from storage.errors import FullError

log = structlog.get_logger(__name__)

RESERVE = 64 << 20  # bytes; four segments of PostgreSQL's log, which it reuses from one checkpoint to the next
SMALL_DISK_SHARE = 8  # the reserve is at most this part of the file system
_BLOCK = bytes(1 << 20)
INTERVAL = 0.25  # seconds between two looks; statvfs(2) takes microseconds


class DiskSpace:
    """The reserve of a data directory: `full` is whether it is not held.

    It is given up when less than a quarter of its size is free, and taken again when half of its size remains free
    beyond it. With a `reserve` of 0 bytes there is none, and the disk never counts as full. Quotas of the file system's
    users are not noticed here.
    """

    def __init__(self, directory: Path, *, reserve: int = RESERVE) -> None:
        self.directory = directory
        self._file = directory / "reserve"
        self._limit = reserve  # bytes
        self._changed = asyncio.Event()
        self._failure = ""
        self.full = False

    def require(self) -> None:
        """Raise `FullError` while the disk is full."""
        if self.full:
            raise FullError("disk", "less space is free than is kept for reading and deleting")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Hold the reserve during the context, give it up when the disk is full, and take it again afterwards."""
        if self._limit == 0:
            yield
            return
        # Before the context, because engines cannot start on a full disk.
        await asyncio.to_thread(self._look)
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            # The file stays, for the next start on a full disk.
            task.cancel()
            await asyncio.wait((task,))

    async def changed_from(self, full: bool) -> None:
        """Wait until `full` has another value."""
        while self.full == full:
            await self._changed.wait()

    async def _watch(self) -> NoReturn:
        while True:
            await asyncio.sleep(INTERVAL)
            await asyncio.to_thread(self._look)
            self._changed.set()
            self._changed.clear()

    def _look(self) -> None:
        """Take or give up the reserve; after an error of the system all stays as it is."""
        try:
            self._adjust()
            self._failure = ""
        except OSError as error:
            # For example too many open files. It is logged once, and not four times a second.
            if str(error) != self._failure:
                self._failure = str(error)
                log.warning("disk_reserve_failed", error=self._failure)

    def _adjust(self) -> None:
        usage = shutil.disk_usage(self.directory)
        size = min(self._limit, usage.total // SMALL_DISK_SHARE)
        held = self._file.exists()
        if held and usage.free < size // 4:
            self._file.unlink()
            held = False
        elif not held and usage.free >= size + size // 2:
            held = _allocate(self._file, size)
        if held == self.full:
            self.full = not held
            fields = {"directory": str(self.directory), "free_bytes": usage.free, "reserve_bytes": size}
            if self.full:
                log.warning("disk_full", **fields)
            else:
                log.warning("disk_has_space", **fields)


def _allocate(file: Path, size: int) -> bool:
    """Create a file that occupies `size` bytes; return whether there was enough space."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            for _ in range(0, size, len(_BLOCK)):
                os.write(descriptor, _BLOCK)
    except OSError as error:
        file.unlink()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    finally:
        os.close(descriptor)
    return True
