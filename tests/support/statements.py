"""Log of the statements that a database executes: once each is prepared, every one is a round trip."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from storage.postgres.database import Database
from tests.support.eventually import eventually


class StatementLog:
    """Keeps the statements of a database's connections, resets on their return to the pool included."""

    def __init__(self) -> None:
        self._statements: list[str] = []

    @classmethod
    async def open(cls, database: Database, *, connections: int) -> StatementLog:
        """Begin to log; the pool has `connections` at most."""
        log = cls()
        async with AsyncExitStack() as stack:
            for _ in range(connections):
                # All are borrowed at once, so that each is another one.
                connection = await stack.enter_async_context(database.connection())
                # The driver asks for the type of an array when a connection first has one.
                await connection.fetchval("SELECT 1 WHERE $1::integer[] IS NULL AND $2::bigint[] IS NULL", None, None)
                connection.add_query_logger(lambda record: log._statements.append(" ".join(record.query.split())))
        await log.take()
        return log

    async def take(self) -> list[str]:
        """Return the statements since the last call."""
        await asyncio.sleep(0)  # the driver calls its loggers in the loop's next turn
        taken, self._statements = self._statements, []
        return taken

    async def take_notified(self) -> list[str]:
        """Return the statements since the last call, once the consumers of the outbox are notified.

        The NOTIFY is sent in the background, one for each transaction that has written to the outbox. So there may be
        no more than one such transaction since the last call, or one NOTIFY could serve both.
        """
        await asyncio.sleep(0)
        writes = self._count("INSERT INTO outbox")
        assert writes <= 1, self._statements
        await eventually(lambda: self._count("SELECT set_config('synchronous_commit'") == writes)
        return await self.take()

    def _count(self, beginning: str) -> int:
        return sum(statement.startswith(beginning) for statement in self._statements)
