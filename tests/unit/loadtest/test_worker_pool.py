"""The tester processes as the parent sees them."""

from __future__ import annotations

import asyncio
import io
from typing import Any, cast

import pytest

from loadtest.errors import LoadTestError
from loadtest.worker import messages as wire
from loadtest.worker_pool import LEAVE, Member


def member(*answers: dict[str, Any]) -> Member:
    """Return a process that has answered so."""
    result = Member(0, cast(Any, None), io.BytesIO(b"Traceback:\nValueError: 3 is too many\n\n"))
    for answer in answers:
        result.answers.put_nowait(answer)
    return result


async def test_a_step_is_done_or_failed() -> None:
    """Answers to earlier steps are passed over; a failure is its sentence."""
    assert await member({"done": "connect"}, {"done": "act"}).has_done("act") == {"done": "act"}
    with pytest.raises(LoadTestError, match="no such host"):
        await member({"done": "prepare"}, {"fail": "no such host"}).has_done("connect")


async def test_who_failed_can_still_leave() -> None:
    """A failure that nobody has read must not keep a process from deleting its people."""
    late = member({"fail": "refused"}, {"done": "prepare"}, {"done": LEAVE, "tokens": []})
    assert await late.has_done(LEAVE) == {"done": LEAVE, "tokens": []}


async def test_who_died_is_dead_for_everybody_who_asks() -> None:
    """However often somebody waits for it, nobody waits in vain."""
    dead = member({"ended": "A tester process ended by SIGKILL."})
    for step in ("act", LEAVE):
        with pytest.raises(LoadTestError, match="SIGKILL"):
            await dead.has_done(step)


def test_last_words_are_the_last_line() -> None:
    """What a process wrote for people when it crashed."""
    assert member().last_words() == "ValueError: 3 is too many"


async def test_messages_survive_the_pipe() -> None:
    """Whole maps come out, None at the end, also in the middle of a message."""
    stream = asyncio.StreamReader()
    whole = wire.pack({"counts": {3001: 2}, "token": "é"})
    stream.feed_data(whole + whole[:7])
    stream.feed_eof()
    assert await wire.read(stream) == {"counts": {3001: 2}, "token": "é"}
    assert await wire.read(stream) is None
