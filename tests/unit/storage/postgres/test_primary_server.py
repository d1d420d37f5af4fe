"""Callers that ask for the primary's position at the same time share a statement that begins after their calls."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from storage.errors import UnavailableError
from storage.postgres.pool import Pool
from storage.postgres.primary_server import PrimaryServer


class SlowPool:
    """A pool whose statements take a few turns of the loop and return the LSN at their beginning."""

    def __init__(self) -> None:
        self.lsn = 0
        self.statements = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Yield the pool as its connection."""
        yield self

    async def fetchrow(self, _sql: str) -> dict[str, object]:
        """Return a report."""
        self.statements += 1
        lsn = self.lsn
        for _ in range(5):
            await asyncio.sleep(0)
        return {"committed": lsn, "flushed": lsn, "timeline": 1, "cluster": "c", "writable": True}


async def test_each_caller_gets_a_position_from_after_its_call() -> None:
    """A hundred writes in a row take a few statements."""
    pool = SlowPool()
    primary = PrimaryServer(cast(Pool, pool))

    async def write_and_ask(turns: int) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        pool.lsn += 1
        written = pool.lsn
        return (await primary.status()).position.lsn >= written

    assert all(await asyncio.gather(*(write_and_ask(number // 10) for number in range(100))))
    assert pool.statements <= 5


async def test_a_caller_that_is_cancelled_does_not_cancel_the_others() -> None:
    """The statement is shared."""
    primary = PrimaryServer(cast(Pool, SlowPool()))
    first, second = (asyncio.create_task(primary.status()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).cluster == "c"


async def test_an_outage_leaves_nothing_behind() -> None:
    """Each failed report refers to the one before while it waits for it, and no longer."""
    raised: list[weakref.ref[UnavailableError]] = []

    class AbsentPool(SlowPool):
        async def fetchrow(self, _sql: str) -> dict[str, object]:
            error = UnavailableError("database", "down")
            raised.append(weakref.ref(error))
            raise error

    primary = PrimaryServer(cast(Pool, AbsentPool()))
    for _ in range(20):
        with pytest.raises(UnavailableError):
            await primary.status()
    gc.collect()
    assert sum(error() is not None for error in raised) <= 1
