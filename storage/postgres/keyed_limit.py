"""A limit on how many tasks of this process change the same row at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.errors import UnavailableError
from storage.postgres.pool import COMMAND_TIMEOUT


class KeyedLimit:
    """Lets `limit` tasks in at once for each key; the others wait in order, without a connection.

    Changes of one row take turns in PostgreSQL anyway. If all of them waited there, those of a popular row would occupy
    every connection of the pool. Two at once leave no gap between one commit and the next change.
    """

    def __init__(self, limit: int = 2) -> None:
        self._limit = limit
        self._slots: dict[int, asyncio.Semaphore] = {}
        self._tasks: dict[int, int] = {}

    @asynccontextmanager
    async def slot(self, key: int) -> AsyncIterator[None]:
        """Wait for a slot of `key` and hold it; raise `UnavailableError` if none is free within `COMMAND_TIMEOUT`."""
        slots = self._slots.setdefault(key, asyncio.Semaphore(self._limit))
        self._tasks[key] = self._tasks.get(key, 0) + 1
        try:
            try:
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    await slots.acquire()
            except TimeoutError as error:
                raise UnavailableError("database", f"too many changes wait for the row {key}") from error
            try:
                yield
            finally:
                slots.release()
        finally:
            self._tasks[key] -= 1
            if not self._tasks[key]:
                del self._tasks[key], self._slots[key]
