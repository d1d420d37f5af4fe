"""Tidy up what nobody needs any more, a little at a time.

Each chore has its own period and works in small transactions, so that it never holds a lock for long.
Several janitors at once do no harm: tasks skip what another is busy with, or can be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from storage.blobs.port import Blobs
from storage.errors import StorageError
from storage.limits.revocations import Revocations
from storage.postgres.database import Database
from storage.stores import erasure, idempotency, photos, sessions
from workers.jobs.contents import ContentRemover

log = structlog.get_logger(__name__)

KEY_LIFE = timedelta(hours=24)  # an idempotency key is good for as long
UPLOAD_LIFE = 3600.0  # seconds; no upload lasts longer
STUCK_AFTER = timedelta(hours=1)
STUCK_UNTIL = timedelta(hours=25)  # after a day of tries it is for a person to look at
_BATCH = 1_000  # rows of one transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodicTask:
    """Something to do every `period` seconds; `work` returns how many things it removed or mended."""

    name: str
    period: float
    work: Callable[[], Awaitable[int]]


class Janitor:
    """Do the tasks, each as soon as it starts and then at its period."""

    def __init__(self, db: Database, blobs: Blobs, revocations: Revocations) -> None:
        self._db = db
        self._blobs = blobs
        self._remover = ContentRemover(db, blobs)
        self.revocations = revocations

    def tasks(self) -> list[PeriodicTask]:
        """Return what there is to do."""
        return [
            # Until it is done, tokens of ended sessions are good again.
            PeriodicTask(name="revocations", period=1, work=self.revocations.restore),
            PeriodicTask(name="deleted_accounts", period=60, work=self.erase_accounts),
            PeriodicTask(name="idempotency_keys", period=600, work=self.purge_keys),
            PeriodicTask(name="refresh_tokens", period=3600, work=self.purge_tokens),
            PeriodicTask(name="unfinished_uploads", period=3600, work=self.sweep_blobs),
            PeriodicTask(name="unused_contents", period=60, work=self.remove_contents),
            PeriodicTask(name="stuck_photos", period=3600, work=self.requeue_stuck_photos),
        ]

    async def run(self) -> None:
        """Work until cancelled; a store that does not answer makes a chore wait for its next turn."""
        async with asyncio.TaskGroup() as group:
            for task in self.tasks():
                group.create_task(self._repeat(task))

    async def erase_accounts(self) -> int:
        """Erase what deleted accounts left with others."""
        return await self._in_batches(self._erase)

    async def purge_keys(self) -> int:
        """Forget idempotency keys that no client may repeat any more."""
        async with self._db.transaction() as tx:
            return await idempotency.purge(tx, KEY_LIFE)

    async def purge_tokens(self) -> int:
        """Forget refresh tokens that expired, and their sessions."""
        return await self._in_batches(self._purge_tokens)

    async def sweep_blobs(self) -> int:
        """Remove the files of uploads that were broken off by a crash."""
        return await self._blobs.sweep(UPLOAD_LIFE)

    async def remove_contents(self) -> int:
        """Remove contents that unfinished uploads, workers and removals have left."""
        return await self._remover.sweep()

    async def requeue_stuck_photos(self) -> int:
        """Have photos processed that somehow were not."""
        async with self._db.transaction() as tx:
            return await photos.requeue_stuck(tx, older_than=STUCK_AFTER, younger_than=STUCK_UNTIL)

    async def _repeat(self, task: PeriodicTask) -> None:
        while True:
            started = time.monotonic()
            try:
                done = await task.work()
            except StorageError as error:
                log.warning("periodic_task_failed", task=task.name, error=str(error))
            else:
                if done:
                    duration = round((time.monotonic() - started) * 1000, 1)
                    log.info("periodic_task_done", task=task.name, count=done, duration_ms=duration)
            await asyncio.sleep(task.period)

    async def _in_batches(self, batch: Callable[[], Awaitable[int]]) -> int:
        total = 0
        while done := await batch():
            total += done
        return total

    async def _erase(self) -> int:
        async with self._db.transaction() as tx:
            return await erasure.erase(tx)

    async def _purge_tokens(self) -> int:
        async with self._db.transaction() as tx:
            return await sessions.purge(tx, limit=_BATCH)
