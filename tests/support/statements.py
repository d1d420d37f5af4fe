"""Log of the statements that a database executes: once each is prepared, every one is a round trip."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from storage.postgres.database import Database


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
                connection.add_query_logger(lambda record: log._statements.append(" ".join(record.query.split())))
        await log.take()
        return log

    async def take(self) -> list[str]:
        """Return the statements since the last call."""
        await asyncio.sleep(0)  # the driver calls its loggers in the loop's next turn
        taken, self._statements = self._statements, []
        return taken
