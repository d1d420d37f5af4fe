"""The pool of connections to PostgreSQL: which of its connections are replaced, reset, and closed, and when."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
import structlog

from storage.circuit import Circuit, CircuitPolicy, CircuitState
from storage.errors import UnavailableError
from storage.postgres.connector import CONNECT_TIMEOUT, NO_PREPARED_STATEMENTS, Connector
from storage.postgres.driver_errors import driver_errors

log = structlog.get_logger(__name__)

COMMAND_TIMEOUT = 10.0  # seconds; the only way to notice that packets to the server are dropped
CLEANUP_TIMEOUT = 2.0  # seconds to roll back, reset or close a connection before it is cut
PROBE_TIMEOUT = 2.0  # seconds for a server that was silent to give a connection, and again for its answer
LATE = 3  # statements or connections in a row without an answer, after which a server counts as silent
SILENCE = CircuitPolicy(failures=1, pause=1.0, max_pause=4.0)
RENEWAL_INTERVAL = 1.0  # seconds, at least, between two renewals of a pool whose server is read-only or silent
_BROKEN = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PooledConnection(asyncpg.Connection):
    """A connection that is reset on its return to the pool only if it was lent to an adapter.

    The driver resets the session state (LISTEN, advisory locks, settings) after every use, which is one more round
    trip for each statement. Transactions and single statements change nothing that outlives them.

    `renewal` is informed when the server refuses a write because it is read-only, or does not answer a statement. This
    is noticed here, below all adapters, because none of them may keep such a connection: at its address, or at another
    one of the URL, there may be a server that accepts writes by now.
    """

    lent = False
    renewal: _Renewal | None = None

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

    async def close(self, *, timeout: float | None = CLEANUP_TIMEOUT) -> None:
        """Close the connection, or cut it if the server does not answer; never fails."""
        try:
            await super().close(timeout=timeout if timeout is not None else CLEANUP_TIMEOUT)
        except _BROKEN as error:
            log.info("database_connection_cut", error=str(error) or type(error).__name__)

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

    async def fetchmany(self, query: str, args: Any, **options: Any) -> Any:
        """Run a statement for each sequence of arguments, and return the rows of all; see the driver."""
        return await self._watched(super().fetchmany(query, args, **options))

    async def _watched(self, call: Awaitable[Any]) -> Any:
        renewal = self.renewal
        try:
            result = await call
        except asyncpg.exceptions.ReadOnlySQLTransactionError:
            if renewal is not None:
                await renewal.server_is_read_only()
            raise
        except TimeoutError:
            if renewal is not None:
                await renewal.server_is_silent()
            raise
        if renewal is not None and renewal.late:
            renewal.late = 0
        return result


class Pool:
    """Connections to one database, at most `max_size` at a time.

    With a circuit, a server that was silent `LATE` times in a row is left alone for a moment: callers fail at once, and
    one of them tries it, for a short time.
    """

    def __init__(self, driver_pool: Any, renewal: _Renewal | None = None) -> None:
        self._pool = driver_pool
        self._renewal = renewal or _Renewal()

    @property
    def max_size(self) -> int:
        """Return the greatest number of connections."""
        size: int = self._pool.get_max_size()
        return size

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        min_size: int,
        max_size: int,
        prepare_statements: bool = True,
        command_timeout: float = COMMAND_TIMEOUT,
        verify: Callable[[Any], Awaitable[None]] | None = None,
        circuit: Circuit | None = None,
    ) -> Pool:
        """Open `min_size` connections; raise `UnavailableError`. A statement may take `command_timeout` seconds.

        Without `prepare_statements` the connections keep nothing in their session, so each transaction may have another
        session. `verify` is called with each new connection, which is closed again if it raises an error.
        """
        connector, renewal = Connector(url), _Renewal(circuit)

        async def connect(_url: None, **options: Any) -> Any:
            return await connector.connect(**options)

        async def prepare(connection: Any) -> None:
            connection.renewal = renewal
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
            if verify is not None:
                await verify(connection)

        with driver_errors():
            renewal.pool = pool = await asyncpg.create_pool(
                connect=cast(Any, connect),
                min_size=min_size,
                max_size=max_size,
                timeout=CONNECT_TIMEOUT,
                command_timeout=command_timeout,
                **({} if prepare_statements else NO_PREPARED_STATEMENTS),
                init=prepare,
                connection_class=PooledConnection,
            )
        return cls(pool, renewal)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Yield a connection; raise `UnavailableError` if none can be had within `COMMAND_TIMEOUT`."""
        connection = await self._acquire()
        try:
            yield connection
        finally:
            try:
                await self._pool.release(connection, timeout=CLEANUP_TIMEOUT)
            except _BROKEN as error:
                # The driver has closed the connection. The caller's work is done, or its own error is on its way.
                log.info("database_connection_cut", error=str(error) or type(error).__name__)

    async def _acquire(self) -> Any:
        circuit = self._renewal.circuit
        if circuit is not None and circuit.state is not CircuitState.CLOSED:
            return await self._probe(circuit)
        with driver_errors():
            try:
                return await self._pool.acquire(timeout=COMMAND_TIMEOUT)
            except TimeoutError:
                self._renewal.record_late()
                raise

    async def _probe(self, circuit: Circuit) -> Any:
        """Return a connection to a server that was silent, if it answers now."""
        permit = circuit.admit()
        if permit is None:
            raise UnavailableError("database", "the server was silent a moment ago, and is not asked at present")
        with permit, driver_errors():
            try:
                connection = await self._pool.acquire(timeout=PROBE_TIMEOUT)
            except TimeoutError:
                permit.failed("timeout")
                raise
            except _BROKEN:
                # The server answers, or refuses at once: nothing is gained by not asking it.
                permit.succeeded()
                raise
            try:
                await connection.fetchval("SELECT 1", timeout=PROBE_TIMEOUT)
            except BaseException:
                permit.failed("timeout")
                terminate(connection)
                with suppress(*_BROKEN):
                    await self._pool.release(connection)
                raise
            permit.succeeded()
            return connection

    async def close(self) -> None:
        """Close the pool; connections that are still in use after `COMMAND_TIMEOUT` are terminated."""
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                await self._pool.close()
        except TimeoutError:
            log.warning("database_close_cut", after_seconds=COMMAND_TIMEOUT)
            self._pool.terminate()

    def terminate(self) -> None:
        """Close the pool and cut its connections at once; statements on them fail with `ConnectionLostError`."""
        self._pool.terminate()


def terminate(connection: Any) -> None:
    """Cut a connection of a pool; do nothing if it has ended and left the pool already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


class _Renewal:
    """Replaces all connections of a pool, each when it is next acquired, at most once in `RENEWAL_INTERVAL`.

    `late` is the number of statements and connections in a row that were not answered; `circuit` opens after `LATE`.
    """

    def __init__(self, circuit: Circuit | None = None) -> None:
        self.pool: Any = None
        self.circuit = circuit
        self.late = 0
        self._renewed_at = -RENEWAL_INTERVAL

    async def server_is_read_only(self) -> None:
        """Replace the connections after a write that was refused."""
        # The interval bounds the cost while a server stays read-only and every write fails.
        if self._is_due():
            log.warning("database_read_only", pause_seconds=RENEWAL_INTERVAL)
            await self.pool.expire_connections()

    async def server_is_silent(self) -> None:
        """Replace the connections after a statement that was not answered."""
        self.record_late()
        # The idle connections most likely lead to the same server. Each would cost a request the same time again.
        if self._is_due():
            log.warning("database_silent", pause_seconds=RENEWAL_INTERVAL)
            await self.pool.expire_connections()

    def record_late(self) -> None:
        """Count a statement or a connection without an answer."""
        self.late += 1
        if self.circuit is None or self.late < LATE or self.circuit.state is not CircuitState.CLOSED:
            return
        self.late = 0
        if (permit := self.circuit.admit()) is not None:
            permit.failed("timeout")

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = self.pool is not None and now - self._renewed_at >= RENEWAL_INTERVAL
        if due:
            self._renewed_at = now
        return due
