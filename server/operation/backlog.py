"""Measure the backlog: the depths of the queues and of their dead letters, and the age of the outbox.

Queues that no process consumes are logged: their events wait for a worker that was forgotten or has stopped.
"""

from __future__ import annotations

import asyncio

import structlog

from server.operation.metrics import Metrics
from storage.errors import StorageError
from storage.postgres import outbox
from storage.postgres.database import Database
from workers.broker.port import Broker
from workers.errors import BrokerError

INTERVAL = 10.0  # seconds

log = structlog.get_logger(__name__)


class Backlog:
    """Sampler of the backlog of one database and broker."""

    def __init__(self, db: Database, broker: Broker, metrics: Metrics, *, interval: float = INTERVAL) -> None:
        self._db = db
        self._broker = broker
        self._metrics = metrics
        self._interval = interval
        self._idle: frozenset[str] = frozenset()  # queues without a consumer at the last time
        self._warned: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Measure until cancelled; an outage leaves the metrics as they are until the next time."""
        while True:
            try:
                depths, oldest = await self._broker.depths(), await outbox.oldest_age(self._db)
                lasting = self._lasting(frozenset(await self._broker.queues_without_consumers()))
                self._metrics.backlog(depths, oldest_seconds=oldest, idle=lasting)
            except (StorageError, BrokerError) as error:
                log.info("backlog_unknown", error=str(error))
            await asyncio.sleep(self._interval)

    def _lasting(self, idle: frozenset[str]) -> frozenset[str]:
        """Return the queues that have had no consumer twice in a row; log each once until it is consumed again."""
        # Once is normal: a worker is being replaced, or starts a little later than this process.
        lasting = idle & self._idle
        new = lasting - self._warned
        self._idle, self._warned = idle, lasting
        if new:
            log.warning("queues_without_consumers", queues=sorted(new))
        return lasting
