"""Claims on outbox rows: a row is locked by an open transaction while it is worked, so nothing has to expire.

The lock goes with the connection, so a process that dies leaves its rows to others at once. Commits
here do not wait for the disk: one that a crash of PostgreSQL undoes only brings the message again.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from storage.postgres.database import Database, driver_errors
from workers.broker.outcomes import Outcome, Verdict
from workers.broker.port import Message

# statement_timestamp() and not now(), which would stand still in a transaction that opened earlier.
_CLAIM = """
SELECT id, event_id, topic, key, body, headers, attempts FROM outbox
WHERE queue = $1 AND available_at <= statement_timestamp()
ORDER BY available_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_REMOVE = "DELETE FROM outbox WHERE id = $1"
_POSTPONE = """
UPDATE outbox SET attempts = attempts + 1, last_error = $2,
    available_at = clock_timestamp() + make_interval(secs => $3)
WHERE id = $1
"""
_BURY = """
WITH dead AS (DELETE FROM outbox WHERE id = $1 RETURNING *)
INSERT INTO dead_letters (id, queue, event_id, topic, key, body, headers, attempts, last_error, created_at, died_at)
SELECT id, queue, event_id, topic, key, body, headers, attempts + 1, $2, created_at, clock_timestamp() FROM dead
"""


def message_of(row: Any, *, attempt: int) -> Message:
    """Return the message that a row of `outbox` or `dead_letters` holds."""
    return Message(
        event_id=str(row["event_id"]),
        topic=row["topic"],
        key=row["key"],
        body=row["body"],
        headers=row["headers"],
        attempt=attempt,
    )


class ClaimConnection:
    """One connection that claims one row at a time; every method raises `UnavailableError` when it is lost."""

    def __init__(self, connection: Any, stack: AsyncExitStack) -> None:
        self._connection = connection
        self._stack = stack
        self._row_id: int | None = None

    @classmethod
    async def open(cls, db: Database) -> ClaimConnection:
        """Borrow a connection."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(db.connection())
            with driver_errors():
                await connection.execute("SET synchronous_commit = off")
            return cls(connection, stack.pop_all())

    async def close(self) -> None:
        """Give the connection back; a row that is still claimed is free again."""
        with driver_errors():
            async with self._stack:
                if not self._connection.is_closed() and self._connection.is_in_transaction():
                    await self._connection.execute("ROLLBACK")

    async def claim(self, queue: str) -> Message | None:
        """Lock the oldest row of a queue that is due and free, and return its message; None if there is none."""
        with driver_errors():
            await self._connection.execute("BEGIN")
            row = await self._connection.fetchrow(_CLAIM, queue)
            if row is None:
                await self._connection.execute("ROLLBACK")
                return None
        self._row_id = row["id"]
        return message_of(row, attempt=row["attempts"] + 1)

    async def settle(self, verdict: Verdict) -> None:
        """Do with the claimed row what the verdict says, and commit."""
        with driver_errors():
            match verdict.outcome:
                case Outcome.DONE | Outcome.DISCARDED:
                    await self._connection.execute(_REMOVE, self._row_id)
                case Outcome.RETRIED:
                    await self._connection.execute(_POSTPONE, self._row_id, verdict.error, verdict.delay)
                case Outcome.DEAD:
                    await self._connection.execute(_BURY, self._row_id, verdict.error)
            await self._connection.execute("COMMIT")
        self._row_id = None
