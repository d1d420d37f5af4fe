"""The type of a handler's error decides the outcome of its message."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from workers.broker.outcomes import ERROR_LENGTH, JobStatus, Outcome, decide, error_text, run_handler
from workers.broker.port import Message, Policy
from workers.errors import BrokerError, Discard, Retry

POLICY = Policy(delivery_limit=3, backoff=(1.0, 5.0))
MESSAGE = Message(event_id="e", topic="like.added", key="1", body=b"", attempt=1)


@pytest.mark.parametrize(
    ("error", "attempt", "outcome"),
    [
        (None, 1, Outcome(status=JobStatus.DONE)),
        (None, 99, Outcome(status=JobStatus.DONE)),
        (ValueError("x"), 1, Outcome(status=JobStatus.RETRIED, delay=1.0, error="ValueError: x")),
        (ValueError("x"), 2, Outcome(status=JobStatus.RETRIED, delay=5.0, error="ValueError: x")),
        (ValueError("x"), 3, Outcome(status=JobStatus.DEAD, error="ValueError: x")),
        (ValueError("x"), 4, Outcome(status=JobStatus.DEAD, error="ValueError: x")),
        (BrokerError("x"), 1, Outcome(status=JobStatus.RETRIED, delay=1.0, error="BrokerError: x")),
        (Retry("x"), 2, Outcome(status=JobStatus.RETRIED, delay=5.0, error="Retry: x")),
        (Retry("x", after=0.0), 1, Outcome(status=JobStatus.RETRIED, delay=0.0, error="Retry: x")),
        (Retry("x", after=77), 2, Outcome(status=JobStatus.RETRIED, delay=77, error="Retry: x")),
        (Retry("x", after=-1), 1, Outcome(status=JobStatus.RETRIED, delay=0.0, error="Retry: x")),
        (Retry("x", after=77), 3, Outcome(status=JobStatus.DEAD, error="Retry: x")),
        (Discard("x"), 1, Outcome(status=JobStatus.DISCARDED, error="Discard: x")),
        (Discard("x"), 3, Outcome(status=JobStatus.DISCARDED, error="Discard: x")),
    ],
)
def test_the_error_decides(error: Exception | None, attempt: int, outcome: Outcome) -> None:
    """Success, `Retry`, `Discard`, any other error, and the last delivery each have their outcome."""
    assert decide(error, attempt, POLICY) == outcome


def test_an_error_text_fits_a_text_column() -> None:
    """NUL and lone surrogates are escaped, the length is bounded, and an error without a message is its type."""
    assert error_text(ValueError("a\x00b")) == "ValueError: a\\0b"
    assert error_text(ValueError("a\ud800b")) == "ValueError: a\\ud800b"
    assert len(error_text(ValueError("é" * 9_999))) == ERROR_LENGTH
    assert error_text(KeyError()) == "KeyError"


async def test_a_stray_cancellation_is_a_failure() -> None:
    """A CancelledError from a handler whose task was not cancelled is retried."""

    async def handler(_: Message) -> None:
        raise asyncio.CancelledError

    assert (await run_handler(handler, MESSAGE, POLICY)).status is JobStatus.RETRIED


async def test_a_cancelled_task_has_no_outcome() -> None:
    """The cancellation of the task itself is passed on."""
    outcomes: list[Outcome] = []

    async def handler(_: Message) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        outcomes.append(await run_handler(handler, MESSAGE, POLICY))

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert outcomes == []
