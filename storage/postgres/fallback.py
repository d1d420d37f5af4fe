"""Reads of PostgreSQL in place of another engine that is away: few at once, so that the database is not lost as well.

A page that Redis answers in one round trip takes several statements here. Without a limit, the load that Redis carries
would take every connection of the pool from the requests that always need the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from storage.circuit import Circuit, CircuitPolicy
from storage.errors import UnavailableError
from storage.postgres.database import Queryable
from storage.postgres.reads import PrimaryReads, Query, Reads

T = TypeVar("T")

AT_ONCE = 4  # reads of a process; less than half of the default pool
WAITING = 64  # further reads; one more fails at once
WAIT = 1.0  # seconds for which a read waits for its turn
CIRCUIT = CircuitPolicy(failures=5, pause=1.0, max_pause=4.0)


class DatabaseFallback:
    """Reads in place of Redis: of pages from `reads`, which may use a replica, and of all else from `db`, the primary.

    Every read raises `UnavailableError("database")` if its turn does not come in time, or if the database has failed
    several times in a row. With `far` the primary is in another region, and everything is read where pages are.
    """

    def __init__(
        self,
        db: Queryable,
        reads: Reads | None = None,
        *,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        wait: float = WAIT,
        circuit: Circuit | None = None,
        far: bool = False,
    ) -> None:
        self._primary = PrimaryReads(db)
        self._reads = reads or self._primary
        self._others = self._reads if far else self._primary
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._wait = wait
        self._circuit = circuit or Circuit(policy=CIRCUIT)
        self._present = 0

    async def read(self, query: Query[T]) -> T:
        """Return what `query` returns on the primary, unless that is far; its statements share one turn."""
        return await self._in_turn(lambda: self._others.read(None, query))

    async def confirm(self, query: Query[T]) -> T:
        """Return what `query` returns on the primary, wherever that is."""
        return await self._in_turn(lambda: self._primary.read(None, query))

    async def read_page(self, viewer_id: int | None, query: Query[T]) -> T:
        """Return what `query` returns, for a page of a viewer, as `Reads.read` does."""
        return await self._in_turn(lambda: self._reads.read(viewer_id, query))

    async def _in_turn(self, call: Callable[[], Awaitable[T]]) -> T:
        permit = self._circuit.admit()
        if permit is None:
            raise UnavailableError("database", "reads in place of Redis have failed several times in a row")
        with permit:
            # Without a turn nothing is known of the database, and the call counts as abandoned.
            async with self._turn():
                try:
                    return await call()
                except UnavailableError:
                    permit.failed("unavailable")
                    raise
                finally:
                    permit.succeeded()  # has no effect after the failure

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._present >= self._room:
            raise UnavailableError("database", "too many reads in place of Redis wait")
        self._present += 1
        try:
            try:
                async with asyncio.timeout(self._wait):
                    await self._turns.acquire()
            except TimeoutError as error:
                raise UnavailableError("database", "too many reads in place of Redis at once") from error
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._present -= 1
