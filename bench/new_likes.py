"""Make a like that a user gives again count as a new one, by removing its traces from the owner's inbox.

Otherwise the second like of a day is recorded silently, which is other work than that of a new one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.support.eventually import eventually

_FORGET = "DELETE FROM notification_actors WHERE retracted_at IS NOT NULL"
_HANDLED = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE queue = 'notify')"


class NewLikes:
    """A connection to the database of the service under test."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator[NewLikes]:
        """Connect until the end of the block."""
        connection = await asyncpg.connect(dsn)
        try:
            yield cls(connection)
        finally:
            await connection.close()

    async def forget(self) -> None:
        """Wait until all likes that were taken back are retracted, and remove what is left of them."""
        await eventually(lambda: self._connection.fetchval(_HANDLED))
        await self._connection.execute(_FORGET)
