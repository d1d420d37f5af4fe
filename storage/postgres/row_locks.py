"""Locks that outlast a transaction: a row, locked by an open transaction on a connection of its own.

An advisory lock of a session would do the same on one server. On a cluster each server has its own, and a lock of a
row is on the one server that has the row.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from storage.errors import ConnectionLostError, UnavailableError
from storage.postgres.driver_errors import driver_errors
from storage.postgres.pool import CLEANUP_TIMEOUT, COMMAND_TIMEOUT, Pool, terminate

log = structlog.get_logger(__name__)

LOCK_PAUSE = 0.001  # seconds between the first two attempts to lock a row
LOCK_MAX_PAUSE = 0.016  # the longest pause


@dataclass(frozen=True, kw_only=True)
class LockableRow:
    """A row as SQL without parameters: `select` ends in FOR UPDATE SKIP LOCKED, `insert` creates the row if needed.

    Without parameters, BEGIN and the lock are one round trip. `name` is for errors.
    """

    name: str
    select: str
    insert: str


class RowLock:
    """A lock that is held; it ends with its connection."""

    def __init__(self, name: str, connection: Any) -> None:
        self._name = name
        self._connection = connection

    def require(self) -> None:
        """Raise `ConnectionLostError` if the lock is lost, so that another process may hold it."""
        held = False
        with suppress(asyncpg.InterfaceError):  # a connection that has ended may have left its pool
            held = not self._connection.is_closed()
        if not held:
            raise ConnectionLostError("database", f"the lock of {self._name} was lost")


class RowLocks:
    """Locks of rows with the connections of one pool, of which they take half at most.

    So there is a connection for the work that is done under each lock. The pool has two connections or more.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._free = asyncio.Semaphore(pool.max_size // 2)

    @asynccontextmanager
    async def hold(self, row: LockableRow) -> AsyncIterator[RowLock]:
        """Hold the lock of a row; raise `UnavailableError` if it is not free within `COMMAND_TIMEOUT`.

        Waiting takes no connection of the pool.
        """
        if self._pool.max_size < 2:
            raise RuntimeError("a lock and the work under it take two connections, and the pool has one")
        clock = asyncio.get_running_loop().time
        deadline, pause, exists = clock() + COMMAND_TIMEOUT, LOCK_PAUSE, False
        while clock() < deadline:
            async with self._attempt(row, deadline) as lock:
                if lock is not None:
                    yield lock
                    return
            if not exists:
                # A row that does not exist cannot be distinguished from one that is locked.
                await self._insert(row)
                exists = True
                continue
            # Nothing wakes a waiter: that would need a connection. The pause is random, so waiters do not keep step.
            await asyncio.sleep(pause := min(pause * random.uniform(1, 2), LOCK_MAX_PAUSE))
        raise UnavailableError("database", f"the lock of {row.name} was not free for {COMMAND_TIMEOUT:g} s")

    @asynccontextmanager
    async def _attempt(self, row: LockableRow, deadline: float) -> AsyncIterator[RowLock | None]:
        """Yield the lock, or None if it is not free."""
        with driver_errors():
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        try:
            async with self._pool.connection() as connection:
                try:
                    with driver_errors():
                        found = await connection.execute(f"BEGIN; {row.select}")
                    if found == "SELECT 1":
                        yield RowLock(row.name, connection)
                        return
                finally:
                    await roll_back(connection, lambda: connection.execute("ROLLBACK"))
        finally:
            self._free.release()
        yield None

    async def _insert(self, row: LockableRow) -> None:
        async with self._pool.connection() as connection:
            with driver_errors():
                await connection.execute(row.insert)


async def roll_back(connection: Any, rollback: Callable[[], Awaitable[object]]) -> None:
    """End the transaction of a connection with `rollback`, or cut the connection if the server does not answer."""
    try:
        async with asyncio.timeout(CLEANUP_TIMEOUT):
            await rollback()
    except TimeoutError:
        # Without an answer the connection is of no use, and PostgreSQL rolls back when it has ended.
        terminate(connection)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # The connection is broken or the commit failed: PostgreSQL has already rolled back.
        log.info("rollback_unneeded", error=str(error) or type(error).__name__)
