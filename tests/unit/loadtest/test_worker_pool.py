"""The tester processes as the parent sees them."""

from __future__ import annotations

import asyncio
import io
from typing import Any, cast

import pytest

from loadtest.errors import LoadTestError
from loadtest.worker import messages
from loadtest.worker_pool import LEAVE, WorkerProcess


def worker(*replies: dict[str, Any]) -> WorkerProcess:
    """Return a process that has sent these replies."""
    result = WorkerProcess(0, cast(Any, None), io.BytesIO(b"Traceback:\nValueError: 3 is too many\n\n"))
    for reply in replies:
        result.replies.put_nowait(reply)
    return result


async def test_a_step_completes_or_fails() -> None:
    """Replies to earlier steps are skipped; a failure raises its sentence."""
    assert await worker({"done": "connect"}, {"done": "act"}).wait_for("act") == {"done": "act"}
    with pytest.raises(LoadTestError, match="no such host"):
        await worker({"done": "prepare"}, {"fail": "no such host"}).wait_for("connect")


async def test_a_failed_process_can_still_leave() -> None:
    """An unread failure must not keep a process from deleting its accounts."""
    late = worker({"fail": "refused"}, {"done": "prepare"}, {"done": LEAVE, "tokens": []})
    assert await late.wait_for(LEAVE) == {"done": LEAVE, "tokens": []}


async def test_the_end_of_a_process_fails_every_wait() -> None:
    """Each wait for an ended process fails, however many there are."""
    dead = worker({"ended": "A tester process ended by SIGKILL."})
    for step in ("act", LEAVE):
        with pytest.raises(LoadTestError, match="SIGKILL"):
            await dead.wait_for(step)


def test_the_last_log_line_is_reported() -> None:
    """It is what a process wrote when it crashed."""
    assert worker().last_log_line() == "ValueError: 3 is too many"


async def test_messages_are_unchanged_after_the_pipe() -> None:
    """Complete maps are read, and None at the end, also in the middle of a message."""
    stream = asyncio.StreamReader()
    whole = messages.pack({"counts": {3001: 2}, "token": "é"})
    stream.feed_data(whole + whole[:7])
    stream.feed_eof()
    assert await messages.read(stream) == {"counts": {3001: 2}, "token": "é"}
    assert await messages.read(stream) is None
