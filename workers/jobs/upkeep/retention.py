"""Removal of what is old: notifications and dead letters, in batches. Other things have tasks of their own.

The chapter "Retention" of docs/operation.md lists everything that is kept for a time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from storage.postgres import outbox
from storage.postgres.database import Database
from storage.stores.notifications import notification_retention
from workers.jobs.upkeep.janitor import PeriodicTask

_BATCH = 1_000  # rows of one transaction


class Retention:
    """Tasks of the janitor; 0 days keep things for ever. `clock` returns seconds since the Unix epoch."""

    def __init__(
        self,
        db: Database,
        *,
        notification_days: int,
        dead_letter_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._notifications = timedelta(days=notification_days)
        self._dead_letters = timedelta(days=dead_letter_days)
        self._clock = clock

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="old_notifications", period=3600, work=self.purge_notifications),
            PeriodicTask(name="old_dead_letters", period=3600, work=self.purge_dead_letters),
        ]

    async def purge_notifications(self) -> int:
        """Delete old notifications, with their actors."""
        return await self._in_batches(self._notifications, self._purge_notifications)

    async def purge_dead_letters(self) -> int:
        """Delete old dead letters of the embedded broker."""
        return await self._in_batches(self._dead_letters, self._purge_dead_letters)

    async def _in_batches(self, kept: timedelta, batch: Callable[[], Awaitable[int]]) -> int:
        total = 0
        while kept and (done := await batch()):
            total += done
        return total

    async def _purge_notifications(self) -> int:
        async with self._db.transaction() as tx:
            return await notification_retention.purge(
                tx, older_than=self._notifications, now=self._clock(), limit=_BATCH
            )

    async def _purge_dead_letters(self) -> int:
        async with self._db.transaction() as tx:
            return await outbox.purge_dead_letters(tx, older_than=self._dead_letters, limit=_BATCH)
