"""Periodic tasks of the janitor about held photos: their end, and their measurement."""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.holds import HoldPolicy
from storage.postgres.database import Database
from storage.stores.media import new_photos
from storage.stores.photos import photo_moderation
from workers.jobs.metrics import ModerationMetrics, NoModerationMetrics
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.jobs.upkeep.janitor import PeriodicTask

_BATCH = 100


class HoldTasks:
    """Ends holds whose time is over, as the policy says, and measures the others."""

    def __init__(
        self,
        db: Database,
        decisions: PhotoDecisions,
        policy: HoldPolicy,
        metrics: ModerationMetrics | None = None,
    ) -> None:
        self._db = db
        self._decisions = decisions
        self._policy = policy
        self._metrics = metrics or NoModerationMetrics()

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="ended_holds", period=5, work=self.end),
            PeriodicTask(name="held_photos", period=15, work=self.measure),
        ]

    async def end(self) -> int:
        """End the holds whose time is over; return their number."""
        total = 0
        while found := await photo_moderation.expired_holds(self._db, limit=_BATCH):
            for photo_id, source in found:
                try:
                    await self._decisions.decide(photo_id, new_photos.outcome(source, self._policy))
                except NotFoundError:
                    await self._forget(photo_id, source)
            total += len(found)
        return total

    async def measure(self) -> int:
        """Measure the photos that are held; nothing is changed."""
        held = await new_photos.measure(self._db)
        self._metrics.photos_held(number=held.number, oldest_seconds=held.oldest_seconds)
        return 0

    async def _forget(self, photo_id: int, source: str) -> None:
        """Remove the hold of a photo that was deleted."""
        async with self._db.transaction() as tx:
            await photo_moderation.forget_hold(tx, photo_id, source)
