"""Periodic tasks that remove what webhooks leave, in batches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from storage.postgres.database import Database, Transaction
from storage.stores.webhooks import webhook_retention
from workers.jobs.upkeep.janitor import PeriodicTask

PAYLOAD_DAYS = 7
LOG_DAYS = 30
_BATCH = 1_000  # rows of one transaction


class WebhookRetention:
    """Tasks of the janitor; `payload_days` and `log_days` are how long payloads, deliveries and attempts are kept."""

    def __init__(
        self,
        db: Database,
        *,
        payload_days: int = PAYLOAD_DAYS,
        log_days: int = LOG_DAYS,
        clock: Callable[[], float] = time.time,
        batch: int = _BATCH,
    ) -> None:
        self._db = db
        self._payloads_kept = timedelta(days=payload_days)
        self._log_kept = timedelta(days=log_days)
        self._clock = clock
        self._batch = batch

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="webhook_payloads", period=3600, work=self.forget_payloads),
            PeriodicTask(name="webhook_deliveries", period=3600, work=self.delete_deliveries),
            PeriodicTask(name="webhook_attempts", period=3600, work=self.delete_attempts),
            PeriodicTask(name="deleted_webhooks", period=60, work=self.delete_endpoints),
        ]

    async def forget_payloads(self) -> int:
        """Forget the payloads of messages that were delivered long enough ago."""
        return await self._in_batches(
            lambda tx: webhook_retention.forget_payloads(tx, after=self._payloads_kept, limit=self._batch)
        )

    async def delete_deliveries(self) -> int:
        """Delete deliveries that ended, or wait for nothing, since long enough."""
        return await self._in_batches(
            lambda tx: webhook_retention.delete_deliveries(tx, after=self._log_kept, limit=self._batch)
        )

    async def delete_attempts(self) -> int:
        """Delete old attempts."""
        return await self._in_batches(
            lambda tx: webhook_retention.delete_attempts(
                tx, older_than=self._log_kept, now=self._clock(), limit=self._batch
            )
        )

    async def delete_endpoints(self) -> int:
        """Delete the endpoints that their owners have deleted, with all that belongs to them."""
        return await self._in_batches(lambda tx: webhook_retention.delete_endpoints(tx, limit=self._batch))

    async def _in_batches(self, remove: Callable[[Transaction], Awaitable[int]]) -> int:
        total = 0
        while True:
            async with self._db.transaction() as tx:
                removed = await remove(tx)
            if not removed:
                return total
            total += removed
