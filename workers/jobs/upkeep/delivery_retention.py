"""The periodic task that removes deliveries of notifications some time after they ended."""

from __future__ import annotations

from datetime import timedelta

from storage.postgres.database import Database
from storage.stores.notifications import deliveries
from workers.jobs.upkeep.janitor import PeriodicTask

_BATCH = 1_000  # rows of one transaction


class DeliveryRetention:
    """A task of the janitor; deliveries are kept for `kept` after they ended."""

    def __init__(self, db: Database, *, kept: timedelta, batch: int = _BATCH) -> None:
        self._db = db
        self._kept = kept
        self._batch = batch

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [PeriodicTask(name="old_deliveries", period=3600, work=self.purge)]

    async def purge(self) -> int:
        """Delete deliveries that ended long enough ago."""
        total = 0
        while True:
            async with self._db.transaction() as tx:
                deleted = await deliveries.purge(tx, after=self._kept, limit=self._batch)
            if not deleted:
                return total
            total += deleted
