"""The relay: carry committed outbox rows to RabbitMQ, and remove each only after its confirm."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from storage.errors import UnavailableError
from storage.postgres import outbox
from storage.postgres.database import Database
from workers.broker.backoff import reconnect_pause
from workers.broker.claims import message_of
from workers.broker.listener import OutboxListener
from workers.broker.outcomes import describe
from workers.broker.port import Message
from workers.broker.routing import QUEUES, RELAY
from workers.errors import BrokerError, UnroutableError

BATCH = 200  # rows a transaction; all are published at once and their confirms come back together
REFUSED_DELAY = 5.0  # seconds before a row that alone was refused is tried again

log = structlog.get_logger(__name__)


class EventPublisher(Protocol):
    """Take over an event: when this returns, it is safe; `BrokerError` means that this is not known."""

    async def publish(self, message: Message, *, queue: str | None = None) -> None:
        """Hand an event to every queue that wants its topic, or to one `queue` alone."""
        ...


class Relay:
    """Publish what the outbox holds; any number of relays may run side by side on one database.

    Rows that wait for a worker queue (written while the broker was the embedded one) go to that queue
    alone. A relay that dies between confirm and commit publishes again what it had published.
    """

    def __init__(self, db: Database, broker: EventPublisher) -> None:
        self._db = db
        self._broker = broker
        self._bell = OutboxListener(db, [RELAY])
        self._failures = 0

    async def run(self) -> None:
        """Relay until cancelled; wait out any time that PostgreSQL or RabbitMQ is away."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._bell.run())
            while True:
                try:
                    await self._drain((RELAY,) if await self._bell.wait() else (RELAY, *QUEUES))
                except (UnavailableError, BrokerError) as error:
                    self._failures += 1
                    log.warning("relay_waits", failures=self._failures, error=str(error))
                    self._bell.ring()
                    await asyncio.sleep(reconnect_pause(self._failures))

    async def _drain(self, queues: Sequence[str]) -> None:
        for queue in queues:
            full = True
            while full:
                # After a failure one row goes ahead alone: a whole batch would knock at a closed door.
                size = 1 if self._failures else BATCH
                full = await self._batch(queue, size) == size
                self._failures = 0

    async def _batch(self, queue: str, size: int) -> int:
        """Publish the oldest rows of a queue and return how many there were; raise `BrokerError` if it is away."""
        async with self._db.transaction() as tx:
            # A removal that a crash undoes only publishes again: no need to wait for the disk.
            await tx.execute("SET LOCAL synchronous_commit = off")
            rows = await outbox.claim(tx, queue, limit=size)
            if not rows:
                return 0
            target = None if queue == RELAY else queue
            outcomes = await asyncio.gather(*(self._publish(row, target) for row in rows))
            confirmed = [row["id"] for row, error in zip(rows, outcomes, strict=True) if error is None]
            refused = [(row, error) for row, error in zip(rows, outcomes, strict=True) if error is not None]
            if not confirmed and not all(isinstance(error, UnroutableError) for _, error in refused):
                raise refused[0][1]
            await outbox.finish(tx, confirmed)
            if refused:
                # The broker answers, so it is these rows: let them not stand in the way of the rest.
                log.error("relay_refused", queue=queue, rows=len(refused), error=str(refused[0][1]))
                errors = {row["id"]: describe(error) for row, error in refused}
                await outbox.postpone(tx, errors, delay=REFUSED_DELAY)
        return len(rows)

    async def _publish(self, row: Any, queue: str | None) -> BrokerError | None:
        try:
            await self._broker.publish(message_of(row, attempt=1), queue=queue)
        except BrokerError as error:
            return error
        return None
