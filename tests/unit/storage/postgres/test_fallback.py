"""Reads in place of Redis: few at once, and none while the database fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.circuit import Circuit, CircuitPolicy, CircuitState
from storage.errors import NotFoundError, UnavailableError
from storage.postgres.fallback import DatabaseFallback

DB: Any = object()


async def test_few_reads_at_once() -> None:
    """Reads wait for their turn for a moment; one more than may wait fails at once."""
    fallback, go = DatabaseFallback(DB, at_once=2, waiting=1, wait=30), asyncio.Event()
    running = 0

    async def read(db: Any) -> int:
        nonlocal running
        assert db is DB
        running += 1
        await go.wait()
        running -= 1
        return 7

    reads = [asyncio.create_task(fallback.read(read)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running == 2
    with pytest.raises(UnavailableError, match="too many"):
        await fallback.read(read)
    go.set()
    assert await asyncio.gather(*reads) == [7, 7, 7]


async def test_a_turn_that_does_not_come() -> None:
    """A read fails after its wait, and that says nothing of the database."""
    circuit = Circuit(policy=CircuitPolicy(failures=1))
    fallback = DatabaseFallback(DB, at_once=1, wait=0.01, circuit=circuit)

    async def hang(_db: Any) -> None:
        await asyncio.Event().wait()

    first = asyncio.create_task(fallback.read(hang))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="at once"):
        await fallback.read(hang)
    assert circuit.state is CircuitState.CLOSED
    first.cancel()


async def test_a_database_that_fails_is_left_alone() -> None:
    """After failures in a row no query is made; an answer of any kind is none of them."""
    circuit = Circuit(policy=CircuitPolicy(failures=2))
    fallback, calls = DatabaseFallback(DB, circuit=circuit), 0

    async def fail(_db: Any) -> None:
        nonlocal calls
        calls += 1
        raise UnavailableError("database", "away") if calls != 2 else NotFoundError("photo")

    for error in (UnavailableError, NotFoundError, UnavailableError, UnavailableError, UnavailableError):
        with pytest.raises(error):
            await fallback.read(fail)
    assert calls == 4
