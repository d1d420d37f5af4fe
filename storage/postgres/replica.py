"""One replica: a connection that follows its position, and a pool for reads that leads to the same server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import asyncpg

from storage.errors import UnavailableError
from storage.postgres.address import server_name, server_urls
from storage.postgres.connector import SERVER_TIMEOUT, Connector
from storage.postgres.driver_errors import driver_errors
from storage.postgres.pool import Pool
from storage.postgres.replication import ReplicaStatus, discontinuity
from storage.postgres.wal_position import WalPosition

INTERVAL = 0.05  # seconds between two reports
ANSWER_TIMEOUT = 1.0  # seconds for a report; a replica that is silent for longer is left, and its reads with it
READ_TIMEOUT = 3.0  # seconds for a statement, which is then repeated on the primary

_SERVER = "pg_postmaster_start_time()::text AS server"
# The timeline of the control file may be that of minutes ago. The WAL receiver's is the present one, but it is NULL for
# roles without pg_read_all_stats.
_STATUS = f"""
SELECT pg_is_in_recovery() AS standby, pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint AS replayed,
    greatest(
        checkpoint.timeline_id, recovery.min_recovery_end_timeline, (SELECT received_tli FROM pg_stat_wal_receiver)
    )::bigint AS timeline,
    control.system_identifier::text AS cluster, {_SERVER}
FROM pg_control_checkpoint() AS checkpoint, pg_control_recovery() AS recovery, pg_control_system() AS control
"""


class Replica:
    """A standby that `follow` keeps connected; a `Queryable` meanwhile, whose statements may be repeated elsewhere.

    `status` is its last report, None without a connection. A read sees at least what the report says, because what is
    replayed is never taken back while a server runs, and the pool refuses any other server.
    """

    def __init__(self, url: str, *, pool_size: int) -> None:
        (self._url,) = server_urls(url)
        self.name = server_name(self._url)
        self.status: ReplicaStatus | None = None
        self._pool_size = pool_size
        self._pool: Pool | None = None

    async def follow(self, changed: Callable[[], None]) -> None:
        """Connect, and call `changed` after each report until there is an error; raise `UnavailableError`."""
        connection = await Connector(self._url).connect(timeout=SERVER_TIMEOUT, command_timeout=ANSWER_TIMEOUT)
        try:
            status = await _report(connection)
            verify = partial(_require_server, status.server)
            pool = await Pool.open(
                self._url, min_size=0, max_size=self._pool_size, command_timeout=READ_TIMEOUT, verify=verify
            )
            try:
                self._pool = pool
                while True:
                    self.status = status
                    changed()
                    await asyncio.sleep(INTERVAL)
                    before, status = status, await _report(connection)
                    if (fault := discontinuity(before, status)) is not None:
                        raise UnavailableError("database", fault)
            finally:
                self.status, self._pool = None, None
                # Not closed in order: reads that wait for a silent server are repeated on the primary at once.
                pool.terminate()
        finally:
            connection.terminate()

    async def fetch(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        rows: Sequence[asyncpg.Record] = await self._read("fetch", sql, args)
        return rows

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        row: asyncpg.Record | None = await self._read("fetchrow", sql, args)
        return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        return await self._read("fetchval", sql, args)

    async def _read(self, method: str, sql: str, args: Sequence[object]) -> Any:
        if self._pool is None:
            raise UnavailableError("database", f"the replica {self.name} is not connected")
        try:
            async with self._pool.connection() as connection:
                with driver_errors():
                    return await getattr(connection, method)(sql, *args)
        except asyncpg.SyntaxOrAccessError as error:
            # It may lack a table or a column of the newest migration. If it is a defect, the primary refuses it, too.
            raise UnavailableError("database", f"the replica {self.name} refused a statement: {error}") from error


async def replica_status(url: str) -> ReplicaStatus:
    """Return one report of a replica; raise `UnavailableError`."""
    connection = await Connector(url).connect(timeout=SERVER_TIMEOUT, command_timeout=ANSWER_TIMEOUT)
    try:
        return await _report(connection)
    finally:
        connection.terminate()


async def _report(connection: Any) -> ReplicaStatus:
    try:
        with driver_errors():
            row = await connection.fetchrow(_STATUS)
    except asyncpg.PostgresError as error:
        raise UnavailableError("database", str(error)) from error
    return ReplicaStatus(
        standby=row["standby"],
        position=WalPosition(row["timeline"], row["replayed"] or 0),
        cluster=row["cluster"],
        server=row["server"],
        moment=time.monotonic(),
    )


async def _require_server(server: str, connection: Any) -> None:
    """Raise `UnavailableError` if a new connection leads to another server, or to this one after a restart."""
    with driver_errors():
        found = await connection.fetchval(f"SELECT {_SERVER}")
    if found != server:
        raise UnavailableError("database", "another server answers at its address")
