"""A database in which something happens between a read and the use of its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from storage.postgres.database import Database


class Meanwhile:
    """A database with an action between the first result and its use."""

    def __init__(self, database: Database, happens: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._happens: Callable[[], Awaitable[None]] | None = happens

    async def fetch(self, sql: str, *args: object) -> Any:
        """Return rows; run the action after the first query."""
        return await self._then(await self._database.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Return a row; run the action after the first query."""
        return await self._then(await self._database.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return a value; run the action after the first query."""
        return await self._then(await self._database.fetchval(sql, *args))

    async def _then(self, reply: Any) -> Any:
        happens, self._happens = self._happens, None
        if happens is not None:
            await happens()
        return reply
