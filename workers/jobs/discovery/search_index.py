"""Background work on the search index: rows that are missing, and the numbers of photos by tag."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from storage.postgres.database import Database
from storage.stores.discovery import search_fill, tag_counts

_BATCH = 500  # rows of one transaction

_Fill = Callable[..., Awaitable[int | None]]


class SearchIndexer:
    """Fills the search index and counts the photos of tags; several may work at once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def fill(self) -> int:
        """Insert the rows that are missing, with pauses in which others work; return their number."""
        total = 0
        for fill in (search_fill.fill_users, search_fill.fill_photos):
            started = time.monotonic()
            while (inserted := await self._batch(fill)) is not None:
                total += inserted
                await asyncio.sleep(time.monotonic() - started)
                started = time.monotonic()
        return total

    async def count_tags(self) -> int:
        """Count the photos of the tags that changes have marked; return the number of tags."""
        found = await tag_counts.marked(self._db)
        for one in found:
            photos = await tag_counts.count(self._db, one.tag)
            async with self._db.transaction() as tx:
                await tag_counts.store(tx, one, photos)
        return len(found)

    async def _batch(self, fill: _Fill) -> int | None:
        async with self._db.transaction() as tx:
            return await fill(tx, limit=_BATCH)
