"""A `picshare run` whose data are on a small file system of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import asyncpg

from tests.engines.private import free_port
from tests.support.service import Service

DISK = "384m"  # PostgreSQL needs 70 MB of it, and the reserve is an eighth
# Mounts a file system that only this process and its children see; root needs no user namespace for that.
NAMESPACE = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
MOUNT = ["unshare", *NAMESPACE, "sh", "-c"]
SCRIPT = f'mount -t tmpfs -o size={DISK} none "$0" && exec "$@"'


class SmallDisk:
    """A `picshare run` whose data are on a small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self._mount = folder / "d"
        self._mount.mkdir()
        port = free_port()
        self.service = Service(
            ["run", "--no-demo", "--port", str(port), "--data", str(self._mount / "data")],
            folder=folder,
            name="run",
            port=port,
            wrapper=[*MOUNT, SCRIPT, str(self._mount)],
        )

    @property
    def path(self) -> Path:
        """Return the mounted file system, as seen from outside."""
        return Path(f"/proc/{self.service.pid}/root{self._mount}")

    def fill(self) -> None:
        """Use up all space, as another program on the same disk would."""
        with (self.path / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def clear(self) -> None:
        """Give the space back."""
        (self.path / "filler").unlink()

    async def use_log_segments(self, count: int) -> None:
        """Let PostgreSQL begin new segments of its log, of 16 MB each."""
        connection = await asyncpg.connect(host=str(self.path / "data" / "run"), user="picshare", database="picshare")
        try:
            for _ in range(count):
                await connection.execute("SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()")
        finally:
            connection.terminate()


async def can_mount(folder: Path) -> bool:
    """Return whether this system allows to mount a file system in a namespace."""
    if shutil.which("unshare") is None:
        return False
    process = await asyncio.create_subprocess_exec(*MOUNT, SCRIPT, str(folder), "true")
    return await process.wait() == 0
