"""The circuit breaker, and the calls that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from storage.blobs.breaker import Breaker
from storage.blobs.observed import ObservedBlobs
from storage.blobs.port import BlobInfo, Blobs
from storage.errors import FullError, NotFoundError, UnavailableError


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


class FailingStore:
    """A store whose calls raise `error`; it counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception = UnavailableError("blobs", "down")

    async def head(self, _key: str) -> BlobInfo:
        """Raise."""
        self.calls += 1
        raise self.error


class Records:
    """The outcomes of calls."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def blob_op(self, *, op: str, outcome: str, seconds: float) -> None:
        """Keep an outcome."""
        assert op == "head"
        assert seconds >= 0
        self.outcomes.append(outcome)


async def _head(blobs: Blobs) -> str:
    try:
        await blobs.head("original/aa/x")
    except (UnavailableError, NotFoundError) as error:
        return type(error).__name__
    return "found"


async def test_calls_are_refused_after_failures_in_a_row() -> None:
    """After two failures the store is left alone for the pause, then one call tries; its success ends it."""
    clock, store, records = Clock(), FailingStore(), Records()
    blobs = ObservedBlobs(cast(Blobs, store), records, Breaker(failures=2, pause=2.0, clock=clock))
    assert [await _head(blobs) for _ in range(4)] == ["UnavailableError", "UnavailableError"] + ["RefusedError"] * 2
    assert store.calls == 2
    clock.now += 2.0
    assert [await _head(blobs) for _ in range(2)] == ["UnavailableError", "RefusedError"]
    clock.now += 2.0
    store.error = NotFoundError("blob")
    assert [await _head(blobs) for _ in range(3)] == ["NotFoundError"] * 3
    assert records.outcomes == ["unavailable"] * 2 + ["refused"] * 2 + ["unavailable", "refused"] + ["missing"] * 3


@pytest.mark.parametrize("error", [NotFoundError("blob"), FullError("blobs", "full")])
async def test_an_answer_is_no_failure(error: Exception) -> None:
    """A store that says that an object is missing, or that it is full, is asked on."""
    store, records = FailingStore(), Records()
    store.error = error
    blobs = ObservedBlobs(cast(Blobs, store), records, Breaker(failures=1))
    for _ in range(3):
        with pytest.raises(type(error)):
            await blobs.head("original/aa/x")
    assert store.calls == 3


async def test_one_call_tries_at_a_time() -> None:
    """While the call that tries waits for the store, all others are refused."""
    clock = Clock()
    breaker = Breaker(failures=1, pause=2.0, clock=clock)
    breaker.failed()
    clock.now += 2.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


async def test_a_success_begins_the_count_again() -> None:
    """Only failures in a row count."""
    clock = Clock()
    breaker = Breaker(failures=2, clock=clock)
    steps: list[Callable[[], None]] = [breaker.failed, breaker.succeeded, breaker.failed]
    for step in steps:
        step()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
