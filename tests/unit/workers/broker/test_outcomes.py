"""The error's type decides what becomes of a message."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from workers.broker.outcomes import ERROR_LENGTH, Outcome, Verdict, describe, judge, work
from workers.broker.port import Message, Policy
from workers.errors import BrokerError, Discard, Retry

POLICY = Policy(delivery_limit=3, backoff=(1.0, 5.0))
MESSAGE = Message(event_id="e", topic="like.added", key="1", body=b"", attempt=1)


@pytest.mark.parametrize(
    ("error", "attempt", "verdict"),
    [
        (None, 1, Verdict(outcome=Outcome.DONE)),
        (None, 99, Verdict(outcome=Outcome.DONE)),
        (ValueError("x"), 1, Verdict(outcome=Outcome.RETRIED, delay=1.0, error="ValueError: x")),
        (ValueError("x"), 2, Verdict(outcome=Outcome.RETRIED, delay=5.0, error="ValueError: x")),
        (ValueError("x"), 3, Verdict(outcome=Outcome.DEAD, error="ValueError: x")),
        (ValueError("x"), 4, Verdict(outcome=Outcome.DEAD, error="ValueError: x")),
        (BrokerError("x"), 1, Verdict(outcome=Outcome.RETRIED, delay=1.0, error="BrokerError: x")),
        (Retry("x"), 2, Verdict(outcome=Outcome.RETRIED, delay=5.0, error="Retry: x")),
        (Retry("x", after=0.0), 1, Verdict(outcome=Outcome.RETRIED, delay=0.0, error="Retry: x")),
        (Retry("x", after=77), 2, Verdict(outcome=Outcome.RETRIED, delay=77, error="Retry: x")),
        (Retry("x", after=-1), 1, Verdict(outcome=Outcome.RETRIED, delay=0.0, error="Retry: x")),
        (Retry("x", after=77), 3, Verdict(outcome=Outcome.DEAD, error="Retry: x")),
        (Discard("x"), 1, Verdict(outcome=Outcome.DISCARDED, error="Discard: x")),
        (Discard("x"), 3, Verdict(outcome=Outcome.DISCARDED, error="Discard: x")),
    ],
)
def test_the_error_decides(error: Exception | None, attempt: int, verdict: Verdict) -> None:
    """Success, `Retry`, `Discard`, any other error, and the last delivery each have their outcome."""
    assert judge(error, attempt, POLICY) == verdict


def test_an_errors_words_fit_a_text_column() -> None:
    """NUL and lone surrogates are written out, length is bounded, and an empty message leaves the kind."""
    assert describe(ValueError("a\x00b")) == "ValueError: a\\0b"
    assert describe(ValueError("a\ud800b")) == "ValueError: a\\ud800b"
    assert len(describe(ValueError("é" * 9_999))) == ERROR_LENGTH
    assert describe(KeyError()) == "KeyError"


async def test_a_stray_cancellation_is_a_failure() -> None:
    """CancelledError out of a handler whose task nobody cancelled is retried."""

    async def handler(_: Message) -> None:
        raise asyncio.CancelledError

    assert (await work(handler, MESSAGE, POLICY)).outcome is Outcome.RETRIED


async def test_a_real_cancellation_ends_the_work() -> None:
    """A cancelled task gives no verdict."""
    verdicts: list[Verdict] = []

    async def handler(_: Message) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        verdicts.append(await work(handler, MESSAGE, POLICY))

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert verdicts == []
