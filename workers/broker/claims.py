"""Claims on outbox rows: a row is locked by an open transaction while it is worked, so nothing has to expire.

The lock goes with the connection, so a process that dies leaves its rows to others at once. Commits
here do not wait for the disk: one that a crash of PostgreSQL undoes only brings the message again.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from storage.postgres import outbox
from storage.postgres.database import Database, driver_errors
from workers.broker.outcomes import Outcome, Verdict
from workers.broker.port import Message


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
            rows = await outbox.claim(self._connection, queue)
            if not rows:
                # An open transaction would keep its lock on the table, and with it migrations from running.
                await self._connection.execute("ROLLBACK")
                return None
            (row,) = rows
        self._row_id = row["id"]
        return message_of(row, attempt=row["attempts"] + 1)

    async def settle(self, verdict: Verdict) -> None:
        """Do with the claimed row what the verdict says, and commit."""
        row_id, self._row_id = self._row_id, None
        if row_id is None:
            raise RuntimeError("no row is claimed")
        with driver_errors():
            match verdict.outcome:
                case Outcome.DONE | Outcome.DISCARDED:
                    await outbox.finish(self._connection, [row_id])
                case Outcome.RETRIED:
                    await outbox.postpone(self._connection, {row_id: verdict.error}, delay=verdict.delay)
                case Outcome.DEAD:
                    await outbox.dead_letter(self._connection, row_id, verdict.error)
            await self._connection.execute("COMMIT")
