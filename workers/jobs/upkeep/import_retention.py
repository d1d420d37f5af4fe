"""Removal of what imports leave: imports whose events were lost, and rows, in batches."""

from __future__ import annotations

from datetime import timedelta

from storage.blobs.port import Blobs
from storage.postgres.database import Database
from storage.stores.archives import imports
from storage.stores.photos import import_items
from workers.jobs.media.uploads import remove_uploads
from workers.jobs.upkeep.janitor import PeriodicTask

LOST_AFTER = timedelta(days=2)  # longer than the attempts at any job
ROWS_KEPT = timedelta(days=30)
_BATCH = 100
_ITEMS = 1_000  # rows of one transaction
_LOST = "It could not be worked off. What was imported stays; upload the archive again for the rest."


class ImportRetention:
    """Tasks of the janitor; `kept` is how long the rows of an import stay after its end."""

    def __init__(self, db: Database, blobs: Blobs, *, kept: timedelta = ROWS_KEPT) -> None:
        self._db = db
        self._blobs = blobs
        self._kept = kept

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="lost_imports", period=3600, work=self.fail_lost),
            PeriodicTask(name="import_rows", period=3600, work=self.forget),
        ]

    async def fail_lost(self) -> int:
        """Fail imports whose events became dead letters, so that their users can request others."""
        total = 0
        while found := await imports.lost(self._db, after=LOST_AFTER, limit=_BATCH):
            for each in found:
                async with self._db.transaction() as tx:
                    total += await imports.finish(tx, each.id, error=_LOST)
                await remove_uploads(self._db, self._blobs, [each.upload_id])
        return total

    async def forget(self) -> int:
        """Delete imports that ended long ago, with their items."""
        total = 0
        while found := await imports.ended(self._db, after=self._kept, limit=_BATCH):
            for import_id in found:
                while deleted := await self._forget_items(import_id):
                    total += deleted
            async with self._db.transaction() as tx:
                total += await imports.forget(tx, found)
        return total

    async def _forget_items(self, import_id: int) -> int:
        async with self._db.transaction() as tx:
            return await import_items.forget(tx, import_id, limit=_ITEMS)
