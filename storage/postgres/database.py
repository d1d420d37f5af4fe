"""PostgreSQL: the connection pool, transactions with their events, and the translation of the driver's errors.

Store functions take a `Queryable` when they read and a `Transaction` when they write, so that one
transaction can contain the rows of several stores together with the events about them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any, Protocol

import asyncpg

from storage.circuit import Circuit
from storage.errors import ConnectionLostError
from storage.events import Event
from storage.ids import IdGenerator
from storage.postgres import notifier, outbox
from storage.postgres.driver_errors import driver_errors
from storage.postgres.pool import Pool, terminate
from storage.postgres.row_locks import LockableRow, RowLock, RowLocks, roll_back

_BEGIN = "BEGIN"
_BEGIN_UNFLUSHED = "BEGIN; SET LOCAL synchronous_commit TO off"


class Queryable(Protocol):
    """Something that can run queries: a `Database` or a `Transaction`. Arguments are always bound."""

    async def fetch(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        ...

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        ...

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        ...


class Transaction:
    """An open transaction: SQL, new ids, and events that become visible with the commit or not at all."""

    def __init__(self, connection: Any, ids: IdGenerator) -> None:
        self._connection = connection
        self._ids = ids
        self.delayed_events: list[outbox.Delayed] = []
        self.callbacks: list[Callable[[], Awaitable[None]]] = []

    async def fetch(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        with driver_errors():
            rows: Sequence[asyncpg.Record] = await self._connection.fetch(sql, *args)
            return rows

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        with driver_errors():
            row: asyncpg.Record | None = await self._connection.fetchrow(sql, *args)
            return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        with driver_errors():
            return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        """Run a statement and return the number of rows that it affected."""
        with driver_errors():
            status: str = await self._connection.execute(sql, *args)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    def new_id(self, shard: int) -> int:
        """Return a new id in a shard; see `storage.ids`."""
        return self._ids.new(shard)

    async def insert(
        self, shard: int, sql: str, *args: object, new_id: Callable[[int], int] | None = None
    ) -> asyncpg.Record | None:
        """Insert one row with a new id of `shard` as `$1`; return the row that the statement returns.

        `new_id` replaces the method of this name.

        The statement ends in ON CONFLICT (id, shard) DO NOTHING RETURNING; if the id is taken, it is run again with
        another. Return None if nothing is inserted for another reason, such as an empty SELECT.
        """
        for _ in range(3):
            row = await self.fetchrow(sql, (new_id or self.new_id)(shard), *args)
            if row is not None:
                return row
        return None

    @property
    def events(self) -> list[Event]:
        """Return the events that were emitted."""
        return [event for event, _ in self.delayed_events]

    def emit(self, event: Event, *, after: float = 0.0) -> None:
        """Add an event to the outbox with this transaction's commit; it is delivered `after` seconds at the earliest.

        Consumers look for delayed events once a second. `after` is `outbox.LONGEST_AFTER` at most.
        """
        if not 0 <= after <= outbox.LONGEST_AFTER:
            raise ValueError(f"an event cannot be emitted after {after:g} seconds")
        self.delayed_events.append((event, after))

    def on_commit(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Await `callback` after the commit, once the connection is back in the pool; not after a rollback.

        This is the place to update caches: a cache that is written inside the transaction would show what may never
        be committed, and would keep a connection waiting for Redis.
        """
        self.callbacks.append(callback)


class Database:
    """A pool of connections to one PostgreSQL.

    `routes` returns the outbox queues of a topic: with RabbitMQ always ("relay",), embedded the worker queues
    themselves. `claims_events` is whether the workers claim events in this database (`workers.broker.claims`) and
    receive none from RabbitMQ. Every method raises `UnavailableError` when the server does not answer.

    `fetch`, `fetchrow` and `fetchval` run a read, or another statement that may be repeated: it is repeated once, on
    another connection, when its connection is lost.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        routes: Callable[[str], Sequence[str]],
        session_pool: Pool | None = None,
        notify: notifier.Notify | None = None,
        claims_events: bool = False,
    ) -> None:
        self._pool = pool
        self._session_pool = session_pool or pool
        self._routes = routes
        self._ids = IdGenerator()
        self._notifier = notifier.Notifier(notify or notifier.notify_over(pool.connection))
        self._locks = RowLocks(pool)
        self._repeated_begin = _BEGIN_UNFLUSHED if claims_events else _BEGIN

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        routes: Callable[[str], Sequence[str]],
        min_size: int = 2,
        max_size: int = 10,
        direct_url: str | None = None,
        transaction_pooler: bool = False,
        notify: notifier.Notify | None = None,
        claims_events: bool = False,
        circuit: Circuit | None = None,
    ) -> Database:
        """Open a pool to `url` (see `storage.postgres.address`; `host` may be the directory of a unix socket).

        With `transaction_pooler`, `url` leads to a pooler that gives each transaction any session. What needs a session
        of its own connects to `direct_url`, when it is needed. `notify` replaces NOTIFY as the way in which the
        consumers of queues are woken after a commit. With a `circuit`, callers do not wait for a silent server again
        and again.
        """
        pool = await Pool.open(
            url, min_size=min_size, max_size=max_size, prepare_statements=not transaction_pooler, circuit=circuit
        )
        session_pool = None if direct_url is None else await Pool.open(direct_url, min_size=0, max_size=max_size)
        return cls(pool, routes=routes, session_pool=session_pool, notify=notify, claims_events=claims_events)

    async def check_writable(self) -> None:
        """Prove that PostgreSQL carries out writes, without changing anything; raise `UnavailableError`."""
        await self.fetchval(outbox.NO_CHANGE)
        if self._session_pool is not self._pool:
            async with self._session_pool.connection() as connection:
                with driver_errors():
                    await connection.execute(outbox.NO_CHANGE)

    async def close(self) -> None:
        """Close the notifier, then the pools."""
        await self._notifier.close()
        await self._pool.close()
        if self._session_pool is not self._pool:
            await self._session_pool.close()

    @asynccontextmanager
    async def transaction(self, lock: RowLock | None = None, *, repeated: bool = False) -> AsyncIterator[Transaction]:
        """Open a transaction; at the end, write its events to the outbox and commit, or roll back everything.

        With the lock of a row, it is rolled back if that is lost before the commit. It is not repeated when its
        connection is lost, because its caller's block cannot be. If that happens during the commit, the transaction may
        have been committed.

        `repeated` is for the handler of an event that can carry the transaction out again. If the event's claim is in
        this database, the commit does not wait for the disk: the claim ends later in the same log, so a crash that
        undoes the transaction undoes the end of the claim as well, and the event is handled again.
        """
        begin = self._repeated_begin if repeated else _BEGIN
        async with self._pool.connection() as connection, self._transaction_on(connection, lock, begin) as transaction:
            yield transaction
        for callback in transaction.callbacks:
            await callback()

    def consumer(self, queue: str, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Register a consumer of this process for the time of the block.

        `wake` is called directly after each commit of this `Database` that has rows for `queue`; it must not block.
        Consumers of that queue in other processes are not notified meanwhile.
        """
        return self._notifier.consumer(queue, wake)

    def locked(self, row: LockableRow) -> AbstractAsyncContextManager[RowLock]:
        """Hold the lock of a row for transactions, and for what follows their commit.

        It excludes transactions that lock the row, and is released when the block ends, or with its connection. Waiting
        takes no connection of the pool; raises `UnavailableError` after `COMMAND_TIMEOUT`.
        """
        return self._locks.hold(row)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Yield a bare asyncpg connection, for LISTEN and claims; for adapters only."""
        async with self._session_pool.connection() as connection:
            connection.lend()
            yield connection

    @asynccontextmanager
    async def _transaction_on(self, connection: Any, lock: RowLock | None, begin: str) -> AsyncIterator[Transaction]:
        # Errors are translated around the driver's calls only; those of the caller's block pass unchanged.
        try:
            with driver_errors():
                await connection.execute(begin)
        except BaseException:
            # Whether the transaction was opened is unknown, so the connection cannot be used again.
            terminate(connection)
            raise
        transaction = Transaction(connection, self._ids)
        queues: set[str] = set()
        try:
            yield transaction
            with driver_errors():
                if transaction.delayed_events:
                    queues = await outbox.insert(connection, self._ids, transaction.delayed_events, self._routes)
                if lock is not None:
                    lock.require()
                await connection.execute("COMMIT")
        except BaseException:
            await roll_back(connection, lambda: connection.execute("ROLLBACK"))
            raise
        self._notifier.notify(queues)

    async def fetch(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        rows: Sequence[asyncpg.Record] = await self._repeatable("fetch", sql, args)
        return rows

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        row: asyncpg.Record | None = await self._repeatable("fetchrow", sql, args)
        return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        return await self._repeatable("fetchval", sql, args)

    async def _repeatable(self, method: str, sql: str, args: Sequence[object]) -> Any:
        try:
            return await self._once(method, sql, args)
        except ConnectionLostError:
            return await self._once(method, sql, args)

    async def _once(self, method: str, sql: str, args: Sequence[object]) -> Any:
        async with self._pool.connection() as connection:
            with driver_errors():
                return await getattr(connection, method)(sql, *args)
