"""The primary's position in the WAL, read with one statement for all callers that wait for it."""

from __future__ import annotations

import asyncio

import asyncpg

from storage.errors import UnavailableError
from storage.postgres.driver_errors import driver_errors
from storage.postgres.pool import Pool, terminate
from storage.postgres.replication import PrimaryStatus
from storage.postgres.wal_position import WalPosition

ANSWER_TIMEOUT = 1.0  # seconds

# What is flushed covers a commit that waited for its flush. With synchronous_commit off none does, so the end of the
# WAL counts, which a replica receives only after the next flush, up to 0.2 s later.
_STATUS = """
SELECT pg_wal_lsn_diff(
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0'
    )::bigint AS committed,
    pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS flushed,
    ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint AS timeline,
    (SELECT system_identifier::text FROM pg_control_system()) AS cluster,
    NOT current_setting('transaction_read_only')::boolean AS writable
"""


class PrimaryServer:
    """The server of a database URL that accepts writes, asked for its position on a connection of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._running: asyncio.Task[PrimaryStatus] | None = None
        self._next: asyncio.Task[PrimaryStatus] | None = None

    @classmethod
    async def open(cls, url: str) -> PrimaryServer:
        """Return the server, which is connected to when it is first asked."""
        # One connection is enough, because callers share statements. It is not one of the pool of requests: the
        # position has to be known when all of those are in use.
        return cls(await Pool.open(url, min_size=0, max_size=1, command_timeout=ANSWER_TIMEOUT))

    async def status(self) -> PrimaryStatus:
        """Return a report that covers everything committed before the call; raise `UnavailableError`."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        # Shielded, because the task is shared: a cancelled caller must not cancel it for the others.
        return await asyncio.shield(self._next)

    async def close(self) -> None:
        """Close the connection."""
        tasks = [task for task in (self._running, self._next) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pool.close()

    async def _after(self, running: asyncio.Task[PrimaryStatus] | None) -> PrimaryStatus:
        """Read once the statement that runs is answered: it may have been carried out before a caller's commit."""
        if running is not None:
            await asyncio.wait([running])
        # The traceback of an error has this frame, and would keep the one before, and so on as long as errors go on.
        del running
        self._running, self._next = self._next, None
        return await self._read()

    async def _read(self) -> PrimaryStatus:
        async with self._pool.connection() as connection:
            try:
                with driver_errors():
                    row = await connection.fetchrow(_STATUS)
            except asyncpg.PostgresError as error:
                # For example a server that was restarted as a standby, behind an address that did not change.
                terminate(connection)
                raise UnavailableError("database", str(error)) from error
            if not row["writable"]:
                # A primary that was made read-only during a switch: its connections stay open, and its WAL ends.
                terminate(connection)
                raise UnavailableError("database", "the server is read-only")
        position = WalPosition(row["timeline"], row["committed"])
        return PrimaryStatus(position=position, flushed=row["flushed"], cluster=row["cluster"])
