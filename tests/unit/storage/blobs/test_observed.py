"""What a blob store measures, and the calls that its circuit refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import pytest

from storage.blobs.observed import CIRCUIT, ObservedBlobs
from storage.blobs.port import BlobInfo, Blobs
from storage.circuit import Circuit, CircuitPolicy, CircuitState
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

    async def list(self, _prefix: str) -> AsyncIterator[BlobInfo]:
        """Yield three objects."""
        for number in range(3):
            yield BlobInfo(key=str(number), size=1, content_type="image/png", modified=datetime.now(UTC))


class Records:
    """The outcomes of calls."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def blob_op(self, *, op: str, outcome: str, seconds: float) -> None:
        """Keep an outcome."""
        assert op in {"head", "list"}
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
    blobs = ObservedBlobs(cast(Blobs, store), records, Circuit(policy=CircuitPolicy(failures=2, pause=2), clock=clock))
    assert [await _head(blobs) for _ in range(4)] == ["UnavailableError", "UnavailableError"] + ["RefusedError"] * 2
    assert store.calls == 2
    clock.now += 2.0
    assert [await _head(blobs) for _ in range(2)] == ["UnavailableError", "RefusedError"]
    clock.now += 4.0  # the pause is twice as long after a probe that has failed
    store.error = NotFoundError("blob")
    assert [await _head(blobs) for _ in range(3)] == ["NotFoundError"] * 3
    assert records.outcomes == ["unavailable"] * 2 + ["refused"] * 2 + ["unavailable", "refused"] + ["missing"] * 3


@pytest.mark.parametrize("error", [NotFoundError("blob"), FullError("blobs", "full")])
async def test_an_answer_is_no_failure(error: Exception) -> None:
    """A store that says that an object is missing, or that it is full, works: the count of failures starts again."""
    store, down = FailingStore(), UnavailableError("blobs", "down")
    blobs = ObservedBlobs(cast(Blobs, store), Records(), Circuit(policy=CircuitPolicy(failures=2)))
    for store.error in (down, error, down, error, error, error, down):
        with pytest.raises(type(store.error)):
            await blobs.head("original/aa/x")
    assert store.calls == 7


async def test_a_listing_is_a_probe_until_its_first_object() -> None:
    """A caller that works on each object does not keep other calls waiting for the outcome of a probe."""
    clock, store = Clock(), FailingStore()
    circuit = Circuit(policy=CircuitPolicy(failures=1, pause=2), clock=clock)
    blobs = ObservedBlobs(cast(Blobs, store), Records(), circuit)
    assert await _head(blobs) == "UnavailableError"
    clock.now += 2.0
    listing = blobs.list("original/")
    await anext(listing)
    assert circuit.state is CircuitState.CLOSED
    await listing.aclose()  # type: ignore[attr-defined]


async def test_a_store_without_a_circuit_is_asked_always() -> None:
    """A directory cannot hang as a remote store does."""
    store = FailingStore()
    blobs = ObservedBlobs(cast(Blobs, store), Records())
    assert [await _head(blobs) for _ in range(20)] == ["UnavailableError"] * 20
    assert store.calls == 20


def test_probes_of_a_store_are_frequent() -> None:
    """A store that works again is noticed within seconds."""
    assert CircuitPolicy(failures=5, pause=2.0, max_pause=5.0) == CIRCUIT
