"""The parent's end of a decoder process, with a process that is about to end."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any, cast

import pytest

from workers.images.process import Child, DeadlineError


class EndingProcess:
    """A process that has closed its pipes, and ends by a signal a moment later; killed before, its code is lost."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.stdout, self.stderr = asyncio.StreamReader(), asyncio.StreamReader()
        for stream in (self.stdout, self.stderr):
            stream.feed_eof()

    async def wait(self) -> int:
        """Wait for the end."""
        await asyncio.sleep(0)
        self.returncode = -signal.SIGXCPU
        return self.returncode

    def kill(self) -> None:
        """Take the exit code, as `subprocess.Popen` does before it sends a signal."""
        self.returncode = 255

    async def communicate(self) -> tuple[bytes, bytes]:
        """Read what is left."""
        return b"", b""


async def test_the_exit_code_of_a_process_that_ends_by_itself_is_read() -> None:
    """A process that the kernel ends for its processor time is late, and has not crashed."""
    ours, its = socket.socketpair()
    with its:
        child = Child(cast(Any, EndingProcess()), ours, 1000)
        with pytest.raises(DeadlineError, match="processor time"):
            await child.respond({}, ours.fileno(), 5)
