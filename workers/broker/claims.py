"""Claims on outbox rows: a row is locked by an open transaction while its message is handled.

So a claim needs no expiry: it ends with the connection, and a process that dies leaves its rows to others at once.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from storage.postgres import outbox
from storage.postgres.database import Database
from storage.postgres.driver_errors import driver_errors
from workers.broker.outcomes import JobStatus, Outcome
from workers.broker.port import Message


def message_of(row: Any, *, attempt: int) -> Message:
    """Return the message in a row of `outbox` or `dead_letters`."""
    return Message(
        event_id=str(row["event_id"]),
        topic=row["topic"],
        key=row["key"],
        body=row["body"],
        headers=row["headers"],
        attempt=attempt,
    )


class ClaimConnection:
    """A connection that claims one row at a time; every method raises `UnavailableError` when it is lost.

    `more` is whether the queue had another row, claimed or not, at the time of the last claim.
    """

    def __init__(self, connection: Any, stack: AsyncExitStack) -> None:
        self._connection = connection
        self._stack = stack
        self._row_id: int | None = None
        self.more = False

    @classmethod
    async def open(cls, db: Database) -> ClaimConnection:
        """Borrow a connection from the pool of `db`."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(db.connection())
            with driver_errors():
                # If a crash of PostgreSQL undoes a commit here, the message is only delivered once more.
                await connection.execute("SET synchronous_commit = off")
            return cls(connection, stack.pop_all())

    async def close(self) -> None:
        """Return the connection to the pool; a row that is still claimed is released."""
        with driver_errors():
            async with self._stack:
                if not self._connection.is_closed() and self._connection.is_in_transaction():
                    await self._connection.execute("ROLLBACK")

    async def claim(self, queue: str) -> Message | None:
        """Lock the oldest row of a queue that is due and not locked; return its message, or None without one."""
        with driver_errors():
            await self._connection.execute("BEGIN")
            rows = await outbox.claim(self._connection, queue)
            if not rows:
                # An idle transaction would keep its lock on the table, and migrations would wait for it.
                await self._connection.execute("ROLLBACK")
                return None
            (row,) = rows
        self._row_id, self.more = row["id"], row["more"]
        # `attempts` counts failures. It is not raised by the claim, so that a cancelled delivery does not count.
        return message_of(row, attempt=row["attempts"] + 1)

    async def finish(self, outcome: Outcome) -> None:
        """Delete, postpone or dead-letter the claimed row, and commit."""
        row_id, self._row_id = self._row_id, None
        if row_id is None:
            raise RuntimeError("no row is claimed")
        with driver_errors():
            match outcome.status:
                case JobStatus.DONE | JobStatus.DISCARDED:
                    await outbox.finish(self._connection, [row_id])
                case JobStatus.RETRIED:
                    await outbox.postpone(self._connection, {row_id: outcome.error}, delay=outcome.delay)
                case JobStatus.DEAD:
                    await outbox.dead_letter(self._connection, row_id, outcome.error)
            await self._connection.execute("COMMIT")
