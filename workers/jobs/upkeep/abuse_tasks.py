"""Periodic tasks of the detection of abuse: measure the lists of known images, and delete old findings."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from storage import ids
from storage.postgres.database import Database
from storage.stores.moderation import findings, hash_lists
from workers.jobs.upkeep.janitor import PeriodicTask

FINDINGS_DAYS = 180
_BATCH = 1_000  # rows of one transaction


class HashListMetrics(Protocol):
    """Records the sizes of lists."""

    def hash_lists_counted(self, sizes: dict[str, dict[str, int]]) -> None:
        """Record the present lists: by name, the numbers of entries by their hash."""
        ...


class AbuseTasks:
    """Tasks of the janitor; `findings_days` is how long findings are kept."""

    def __init__(
        self,
        db: Database,
        metrics: HashListMetrics,
        *,
        findings_days: int = FINDINGS_DAYS,
        clock: Callable[[], float] = time.time,
        batch: int = _BATCH,
    ) -> None:
        self._db = db
        self._metrics = metrics
        self._kept = timedelta(days=findings_days)
        self._clock = clock
        self._batch = batch

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="hash_lists", period=60, work=self.measure),
            PeriodicTask(name="findings", period=3600, work=self.delete_findings),
        ]

    async def measure(self) -> int:
        """Record the sizes of the lists; nothing is repaired, so the result is 0."""
        found = await hash_lists.all_lists(self._db)
        self._metrics.hash_lists_counted({one.name: {"sha256": one.originals, "pdq": one.images} for one in found})
        return 0

    async def delete_findings(self) -> int:
        """Delete findings that are older than they are kept."""
        first_id = ids.first_id_at(self._clock() - self._kept.total_seconds())
        total = 0
        while True:
            async with self._db.transaction() as tx:
                deleted = await findings.delete_before(tx, first_id, limit=self._batch)
            if not deleted:
                return total
            total += deleted
