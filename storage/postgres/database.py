"""PostgreSQL: the connection pool, transactions with their events, and the translation of the driver's errors.

Store functions take a `Queryable` when they read and a `Transaction` when they write, so that one
transaction can contain the rows of several stores together with the events about them.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol

import asyncpg
import structlog

from storage.errors import ConflictError, FullError, InvalidValueError, UnavailableError
from storage.events import Event
from storage.ids import IdGenerator
from storage.postgres import outbox

log = structlog.get_logger(__name__)

COMMAND_TIMEOUT = 10.0  # seconds; the only way to notice that packets to the server are dropped
RENEWAL_INTERVAL = 1.0  # seconds, at least, between two renewals of a pool whose server is read-only
LOCK_PAUSE, LOCK_MAX_PAUSE = (
    0.001,
    0.016,
)  # seconds between two attempts to get an advisory lock: the first, the longest
_UNREACHABLE = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised when a connection ends between two messages of one command
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.InvalidCatalogNameError,
    asyncpg.exceptions.InvalidCachedStatementError,  # a migration changed a prepared statement: a retry succeeds
    asyncpg.exceptions.OutdatedSchemaCacheError,
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock or a serialisation failure: a retry succeeds
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)

# Unique constraint → (stable code, message, field of the request).
_TAKEN = {
    "users_username_key": ("username_taken", "This username is taken. Choose another one.", "username"),
    "users_email_key": (
        "email_taken",
        "This e-mail address already has an account. Sign in, or use another address.",
        "email",
    ),
}


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


class PooledConnection(asyncpg.Connection):
    """A connection that is reset on its return to the pool only if it was lent to an adapter.

    The driver resets the session state (LISTEN, advisory locks, settings) after every use, which is one more round
    trip for each statement. Transactions and single statements change nothing that outlives them.

    `on_read_only` is awaited when the server refuses a write because it is read-only. It is noticed here, below all
    adapters, because none of them may keep such a connection: at its address there may be another server by now.
    """

    lent = False
    on_read_only: Callable[[], Awaitable[None]] | None = None

    def lend(self) -> None:
        """Reset the session state when the connection comes back."""
        self.lent = True

    def take_back(self) -> None:
        """Undo `lend`: the session state has not changed."""
        self.lent = False

    def get_reset_query(self) -> str:
        """Return the driver's statements, or nothing for a connection whose session state is untouched."""
        if not self.lent:
            return ""
        self.lent = False
        query: str = super().get_reset_query()
        return query

    async def execute(self, query: str, *args: Any, **options: Any) -> Any:
        """Run statements; see the driver."""
        return await self._watched(super().execute(query, *args, **options))

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        """Return all rows; see the driver."""
        return await self._watched(super().fetch(query, *args, **options))

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """Return the first row; see the driver."""
        return await self._watched(super().fetchrow(query, *args, **options))

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """Return the first value; see the driver."""
        return await self._watched(super().fetchval(query, *args, **options))

    async def executemany(self, command: str, args: Any, **options: Any) -> Any:
        """Run a statement for each sequence of arguments; see the driver."""
        return await self._watched(super().executemany(command, args, **options))

    async def _watched(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except asyncpg.exceptions.ReadOnlySQLTransactionError:
            if self.on_read_only is not None:
                await self.on_read_only()
            raise


class Transaction:
    """An open transaction: SQL, new ids, and events that become visible with the commit or not at all."""

    def __init__(self, connection: Any, ids: IdGenerator) -> None:
        self._connection = connection
        self._ids = ids
        self.events: list[Event] = []
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

    async def insert(self, shard: int, sql: str, *args: object) -> asyncpg.Record | None:
        """Insert one row with a new id of `shard` as `$1`; return the row that the statement returns.

        The statement ends in ON CONFLICT (id) DO NOTHING RETURNING; if the id is taken, it is run again with another.
        Return None if nothing is inserted for another reason, such as an empty SELECT.
        """
        for _ in range(3):
            row = await self.fetchrow(sql, self.new_id(shard), *args)
            if row is not None:
                return row
        return None

    def emit(self, event: Event) -> None:
        """Add an event to the outbox with this transaction's commit."""
        self.events.append(event)

    def on_commit(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Await `callback` after the commit, once the connection is back in the pool; not after a rollback.

        This is the place to update caches: a cache that is written inside the transaction would show what may never
        be committed, and would keep a connection waiting for Redis.
        """
        self.callbacks.append(callback)


class LockedConnection:
    """A connection that holds an advisory lock; see `Database.locked`."""

    def __init__(self, transaction: Callable[[], AbstractAsyncContextManager[Transaction]]) -> None:
        self._transaction = transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; callbacks run after its commit, while the lock is still held."""
        async with self._transaction() as transaction:
            yield transaction
        for callback in transaction.callbacks:
            await callback()


class Database:
    """A pool of connections to one PostgreSQL.

    `routes` returns the outbox queues of a topic: with RabbitMQ always ("relay",), embedded the worker queues
    themselves. Every method raises `UnavailableError` when the server does not answer.
    """

    def __init__(self, pool: Any, *, routes: Callable[[str], Sequence[str]]) -> None:
        self._pool = pool
        self._routes = routes
        self._ids = IdGenerator()
        self._notifier = outbox.Notifier(pool)

    @classmethod
    async def connect(
        cls, dsn: str, *, routes: Callable[[str], Sequence[str]], min_size: int = 2, max_size: int = 10
    ) -> Database:
        """Open a pool to `dsn` (a postgresql:// URL, a unix socket directory in `host` included)."""
        renewal = _PoolRenewal()

        async def prepare(connection: Any) -> None:
            connection.on_read_only = renewal
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)

        with driver_errors():
            renewal.pool = pool = await asyncpg.create_pool(
                dsn,
                min_size=min_size,
                max_size=max_size,
                timeout=COMMAND_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                init=prepare,
                connection_class=PooledConnection,
            )
        return cls(pool, routes=routes)

    async def check_writable(self) -> None:
        """Prove that PostgreSQL carries out writes, without changing anything; raise `UnavailableError`."""
        await self.fetchval(outbox.NO_CHANGE)

    async def close(self) -> None:
        """Close the notifier, then the pool; connections still in use after `COMMAND_TIMEOUT` are terminated."""
        await self._notifier.close()
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await self._pool.close()
        except TimeoutError:
            log.warning("database_close_cut", after_seconds=COMMAND_TIMEOUT)
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; at the end, write its events to the outbox and commit, or roll back everything."""
        async with self._acquired() as connection, self._transaction_on(connection) as transaction:
            yield transaction
        for callback in transaction.callbacks:
            await callback()

    @asynccontextmanager
    async def locked(self, key: int) -> AsyncIterator[LockedConnection]:
        """Hold the advisory lock `key` for transactions on one connection, and for what follows their commit.

        A lock of the transaction would be released by the commit. This one is exclusive with locks of transactions
        (`pg_advisory_xact_lock`) of the same key. Waiting takes no connection of the pool; raises `UnavailableError`
        after `COMMAND_TIMEOUT`.
        """
        waited, pause = 0.0, LOCK_PAUSE
        while True:
            async with self._lock_attempt(key) as connection:
                if connection is not None:
                    yield LockedConnection(lambda: self._transaction_on(connection))
                    return
            if waited >= COMMAND_TIMEOUT:
                raise UnavailableError("database", f"the lock {key} was not free for {COMMAND_TIMEOUT:g} s")
            # Nothing wakes a waiter: that would need a connection. The pause is random, so waiters do not keep step.
            await asyncio.sleep(pause := min(pause * random.uniform(1, 2), LOCK_MAX_PAUSE))
            waited += pause

    @asynccontextmanager
    async def _lock_attempt(self, key: int) -> AsyncIterator[Any]:
        """Yield a connection that holds an advisory lock, or None if it is not free."""
        async with self.connection() as connection:
            # The reset on the connection's return to the pool releases the lock, also after a cancellation; if it
            # fails, the connection is closed, which releases the lock too.
            with driver_errors():
                free = await connection.fetchval("SELECT pg_try_advisory_lock($1)", key)
            if free:
                yield connection
                return
            connection.take_back()
        yield None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Yield a bare asyncpg connection, for LISTEN, advisory locks and claims; for adapters only."""
        async with self._acquired() as connection:
            connection.lend()
            yield connection

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        with driver_errors():
            connection = await self._pool.acquire(timeout=COMMAND_TIMEOUT)
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def _transaction_on(self, connection: Any) -> AsyncIterator[Transaction]:
        # Errors are translated around the driver's calls only; those of the caller's block pass unchanged.
        frame = connection.transaction()
        with driver_errors():
            await frame.start()
        transaction = Transaction(connection, self._ids)
        queues: set[str] = set()
        try:
            yield transaction
            with driver_errors():
                if transaction.events:
                    queues = await outbox.insert(connection, transaction.events, self._routes)
                await frame.commit()
        except BaseException:
            await self._roll_back(frame)
            raise
        self._notifier.notify(queues)

    @staticmethod
    async def _roll_back(frame: Any) -> None:
        try:
            await frame.rollback()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The connection is broken or the commit failed: PostgreSQL has already rolled back.
            log.info("rollback_unneeded", error=str(error) or type(error).__name__)

    async def fetch(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        with driver_errors():
            rows: Sequence[asyncpg.Record] = await self._pool.fetch(sql, *args)
            return rows

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        with driver_errors():
            row: asyncpg.Record | None = await self._pool.fetchrow(sql, *args)
            return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        with driver_errors():
            return await self._pool.fetchval(sql, *args)


@contextmanager
def driver_errors() -> Iterator[None]:
    """Translate asyncpg's errors into those of `storage.errors`."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        code, message, field = _TAKEN.get(error.constraint_name or "", ("conflict", "This already exists.", None))
        raise ConflictError(code, message, field=field) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise ConflictError(
            "conflict", "The change conflicts with existing data. Load the current state and try again."
        ) from error
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        raise InvalidValueError(
            "A value cannot be stored: a text contains a NUL or a lone surrogate, or a number is too large."
        ) from error
    except asyncpg.DiskFullError as error:
        raise FullError("database", str(error)) from error
    except _UNREACHABLE as error:
        raise UnavailableError("database", str(error) or type(error).__name__) from error


class _PoolRenewal:
    """Replaces all connections of a pool, each when it is next acquired, at most once in `RENEWAL_INTERVAL`."""

    def __init__(self) -> None:
        self.pool: Any = None
        self._renewed_at = -RENEWAL_INTERVAL

    async def __call__(self) -> None:
        # The interval bounds the cost while a server stays read-only and every write fails.
        if self.pool is not None and time.monotonic() - self._renewed_at >= RENEWAL_INTERVAL:
            self._renewed_at = time.monotonic()
            log.warning("database_read_only", pause_seconds=RENEWAL_INTERVAL)
            await self.pool.expire_connections()
