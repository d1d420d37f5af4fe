"""The janitor: periodic tasks that delete what is not needed any more.

Each task has its own period and works in small transactions, so that it holds locks only briefly. Several janitors
can run at once: their tasks skip each other's rows, or can be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from storage.blobs.keys import variant_key
from storage.blobs.port import Blobs
from storage.errors import StorageError
from storage.limits.revocations import Revocations
from storage.postgres import outbox
from storage.postgres.database import Database
from storage.stores import idempotency
from storage.stores.accounts import account_deletion, erasure, usernames
from storage.stores.credentials import sessions
from storage.stores.media import profile_images, variants
from storage.stores.notifications import notification_drift
from storage.stores.photos import photo_processing
from workers.jobs.discovery.search_index import SearchIndexer
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.uploads import expire_uploads, remove_unclaimed
from workers.jobs.upkeep.counter_repair import CounterRepair

log = structlog.get_logger(__name__)

KEY_TTL = timedelta(hours=24)  # of an idempotency key
LONGEST_DELAY = timedelta(minutes=10)  # of an event between two attempts, as in the default `Policy`
UPLOAD_TTL = 3600.0  # seconds; longer than any upload
UNUSED_DAYS = 30
STUCK_AFTER = timedelta(hours=1)
STUCK_UNTIL = timedelta(hours=25)  # after a day of attempts an operator has to look at it
_BATCH = 1_000  # rows of one transaction
_ENTRIES = 100  # notifications whose actors one statement counts; each may have very many


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodicTask:
    """A task to run every `period` seconds; `work` returns the number of things that it deleted or repaired."""

    name: str
    period: float
    work: Callable[[], Awaitable[int]]


class JanitorMetrics(Protocol):
    """Counts what was deleted or repaired."""

    def periodic_task_done(self, *, task: str, count: int) -> None:
        """Record one run of a task, and how many things it deleted or repaired."""
        ...

    def periodic_task_failed(self, *, task: str) -> None:
        """Record one run of a task that failed."""
        ...

    def notifications_repaired(self, count: int) -> None:
        """Record notifications whose number of actors or newest actors were wrong."""
        ...


class NoMetrics:
    """Records nothing."""

    def periodic_task_done(self, *, task: str, count: int) -> None:
        """Do nothing."""

    def periodic_task_failed(self, *, task: str) -> None:
        """Do nothing."""

    def notifications_repaired(self, count: int) -> None:
        """Do nothing."""


class Janitor:
    """Runs the periodic tasks, each at the start and then once in its period."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        revocations: Revocations,
        counters: CounterRepair,
        metrics: JanitorMetrics | None = None,
        *,
        unused_days: int = UNUSED_DAYS,
        key_ttl: timedelta = KEY_TTL,
        more: Sequence[PeriodicTask] = (),
    ) -> None:
        self._more = more
        self._unused_days = unused_days  # after which a variant made on request is deleted
        self._key_ttl = key_ttl
        self._metrics = metrics or NoMetrics()
        self._db = db
        self._blobs = blobs
        self._remover = ContentRemover(db, blobs)
        self._counters = counters
        self._indexer = SearchIndexer(db)
        self.revocations = revocations

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            # Until this has run after a loss of Redis' data, tokens of ended sessions are accepted.
            PeriodicTask(name="revocations", period=1, work=self.revocations.restore),
            PeriodicTask(name="outbox_due_times", period=60, work=self.bound_due_times),
            PeriodicTask(name="due_deletions", period=60, work=self.complete_deletions),
            PeriodicTask(name="deleted_accounts", period=60, work=self.queue_erasures),
            PeriodicTask(name="idempotency_keys", period=600, work=self.purge_keys),
            PeriodicTask(name="refresh_tokens", period=3600, work=self.purge_tokens),
            PeriodicTask(name="former_usernames", period=3600, work=self.free_usernames),
            PeriodicTask(name="unfinished_uploads", period=3600, work=self.sweep_blobs),
            PeriodicTask(name="expired_uploads", period=600, work=self.expire_uploads),
            PeriodicTask(name="unclaimed_uploads", period=86_400, work=self.remove_unclaimed_uploads),
            PeriodicTask(name="unused_contents", period=60, work=self.remove_contents),
            PeriodicTask(name="unused_variants", period=3600, work=self.delete_unused_variants),
            PeriodicTask(name="stuck_photos", period=3600, work=self.requeue_stuck_photos),
            PeriodicTask(name="stuck_profile_images", period=3600, work=self.requeue_stuck_profile_images),
            PeriodicTask(name="search_index", period=60, work=self._indexer.fill),
            PeriodicTask(name="tag_counts", period=5, work=self._indexer.count_tags),
            PeriodicTask(name="notification_actors", period=86_400, work=self.repair_notifications),
            PeriodicTask(name="counters", period=86_400, work=self._counters.run),
            *self._more,
        ]

    async def run(self) -> None:
        """Run until cancelled; a task that fails because a store does not answer is run again after its period."""
        async with asyncio.TaskGroup() as group:
            for task in self.tasks():
                group.create_task(self._repeat(task))

    async def bound_due_times(self) -> int:
        """Make events due that wait for a time before which PostgreSQL's clock has stepped back."""
        return await self._in_batches(self._bound_due_times)

    async def complete_deletions(self) -> int:
        """Delete accounts for good whose deletion cannot be undone any more."""
        return await self._in_batches(self._complete_deletions)

    async def queue_erasures(self) -> int:
        """Emit the event of the next batch for deleted accounts that have none under way."""
        async with self._db.transaction() as tx:
            return await erasure.queue_due(tx)

    async def purge_keys(self) -> int:
        """Delete expired idempotency keys."""
        return await self._in_batches(self._purge_keys)

    async def purge_tokens(self) -> int:
        """Delete expired refresh tokens, and their sessions."""
        return await self._in_batches(self._purge_tokens)

    async def free_usernames(self) -> int:
        """Free usernames that their accounts have given up long enough ago."""
        return await self._in_batches(self._free_usernames)

    async def sweep_blobs(self) -> int:
        """Delete the temporary files of uploads that a crash has interrupted."""
        return await self._blobs.sweep(UPLOAD_TTL)

    async def expire_uploads(self) -> int:
        """Delete uploads that did not become photos in time."""
        return await expire_uploads(self._db, self._blobs)

    async def remove_unclaimed_uploads(self) -> int:
        """Delete bytes of uploads that have no row any more."""
        return await remove_unclaimed(self._db, self._blobs)

    async def remove_contents(self) -> int:
        """Remove contents that unfinished uploads, workers and removals have left."""
        return await self._remover.sweep()

    async def delete_unused_variants(self) -> int:
        """Delete variants that were made on request and are not requested any more."""
        return await self._in_batches(self._delete_unused_variants)

    async def requeue_stuck_photos(self) -> int:
        """Emit the event of an upload again for photos that have not been processed."""
        async with self._db.transaction() as tx:
            return await photo_processing.requeue_stuck(tx, older_than=STUCK_AFTER, younger_than=STUCK_UNTIL)

    async def requeue_stuck_profile_images(self) -> int:
        """Emit the event of an upload again for avatars and banners that have not been processed."""
        async with self._db.transaction() as tx:
            return await profile_images.requeue_stuck(tx, older_than=STUCK_AFTER, younger_than=STUCK_UNTIL)

    async def repair_notifications(self) -> int:
        """Count the actors of all notifications again, and correct those that are wrong: normally, none is."""
        repaired, after = 0, 0
        while True:
            checked = await notification_drift.check(self._db, after=after, limit=_ENTRIES)
            for recipient_id, entry_id in checked.wrong:
                async with self._db.transaction() as tx:
                    repaired += await notification_drift.repair(tx, recipient_id=recipient_id, entry_id=entry_id)
            if checked.after is None:
                break
            after = checked.after
        self._metrics.notifications_repaired(repaired)
        return repaired

    async def _repeat(self, task: PeriodicTask) -> None:
        while True:
            started = time.monotonic()
            try:
                done = await task.work()
            except StorageError as error:
                self._metrics.periodic_task_failed(task=task.name)
                log.warning("periodic_task_failed", task=task.name, error=str(error))
            else:
                self._metrics.periodic_task_done(task=task.name, count=done)
                if done:
                    duration = round((time.monotonic() - started) * 1000, 1)
                    log.info("periodic_task_done", task=task.name, count=done, duration_ms=duration)
            await asyncio.sleep(task.period)

    async def _in_batches(self, batch: Callable[[], Awaitable[int]]) -> int:
        total = 0
        while done := await batch():
            total += done
        return total

    async def _purge_keys(self) -> int:
        async with self._db.transaction() as tx:
            return await idempotency.purge(tx, self._key_ttl, limit=_BATCH)

    async def _complete_deletions(self) -> int:
        completed = 0
        for user_id in await account_deletion.due(self._db, limit=_ENTRIES):
            async with self._db.transaction() as tx:
                completed += await account_deletion.complete(tx, user_id)
        return completed

    async def _bound_due_times(self) -> int:
        async with self._db.transaction() as tx:
            return await outbox.bound_due_times(tx, longest_delay=LONGEST_DELAY.total_seconds(), limit=_BATCH)

    async def _delete_unused_variants(self) -> int:
        found = await variants.unused(self._db, days=self._unused_days, limit=_ENTRIES)
        # The objects first: after a crash in between the rows name them again.
        await self._blobs.delete([variant_key(one.sha256, one.recipe, one.name) for one in found])
        for one in found:
            async with self._db.transaction() as tx:
                await variants.forget(tx, one, days=self._unused_days)
        return len(found)

    async def _free_usernames(self) -> int:
        async with self._db.transaction() as tx:
            return await usernames.purge(tx, limit=_ENTRIES)

    async def _purge_tokens(self) -> int:
        async with self._db.transaction() as tx:
            return await sessions.purge(tx, limit=_BATCH)
