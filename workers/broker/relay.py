"""The relay: publishes committed outbox rows to RabbitMQ, and deletes each only after its confirm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from storage.errors import UnavailableError
from storage.postgres import outbox
from storage.postgres.database import Database
from workers.broker.backoff import reconnect_pause
from workers.broker.claims import message_of
from workers.broker.listener import WakeUp
from workers.broker.outcomes import error_text
from workers.broker.port import Message
from workers.broker.routing import QUEUES, RELAY
from workers.errors import BrokerError, UnroutableError

BATCH = 200  # rows of a transaction; all are published at once and their confirms come back together
REFUSED_DELAY = 5.0  # seconds before a row that alone was refused is published again
# If a crash of PostgreSQL undoes the deletion, the events are only published again. A relay that stops in the middle of
# a batch, and keeps its connections, loses the lease. A batch takes less time, even if RabbitMQ does not answer.
_SETTINGS = """
SET LOCAL synchronous_commit = off;
SET LOCAL idle_in_transaction_session_timeout = '30s';
"""

log = structlog.get_logger(__name__)


class EventPublisher(Protocol):
    """Publishes events. A publish that returns has stored the event; after `BrokerError` that is unknown."""

    async def publish(self, message: Message, *, queue: str | None = None) -> None:
        """Deliver an event to every queue that is bound to its topic, or to `queue` alone."""
        ...


class RelaySpan(Protocol):
    """A span that has begun."""

    @property
    def traceparent(self) -> str:
        """Return the W3C `traceparent` of its children."""
        ...

    def end(self, **attributes: str | int) -> None:
        """End the span."""
        ...


class RelayTracing(Protocol):
    """Records the publishing of events of sampled requests."""

    def begin(self, name: str, parent: str, *, start: float | None = None) -> RelaySpan:
        """Begin a span."""
        ...


# Calls its argument whenever there may be rows, until cancelled.
Listen = Callable[[Callable[[], None]], Awaitable[None]]


class Relay:
    """Publisher of the outbox; any number of relays can run on one database, and one publishes at a time.

    A relay that dies between confirm and commit has published events that are then published again.
    """

    def __init__(
        self, db: Database, broker: EventPublisher, *, listen: Listen, tracing: RelayTracing | None = None
    ) -> None:
        self._tracing = tracing
        self._db = db
        self._broker = broker
        self._listen = listen
        self._rows = WakeUp()
        self._failures = 0

    async def run(self) -> None:
        """Publish until cancelled; wait while PostgreSQL or RabbitMQ is unavailable."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen_until_cancelled())
            while True:
                try:
                    # Rows of the worker queues were written while the broker was the embedded one. No notification
                    # for them can still come, so they are looked for when there is nothing else to do.
                    await self._drain((RELAY,) if await self._rows.wait() else (RELAY, *QUEUES))
                except (UnavailableError, BrokerError) as error:
                    self._failures += 1
                    log.warning("relay_waits", failures=self._failures, error=str(error))
                    # The failed batch has used up its notification.
                    self._rows.notify()
                    await asyncio.sleep(reconnect_pause(self._failures))

    async def _listen_until_cancelled(self) -> None:
        await self._listen(self._rows.notify)

    async def _drain(self, queues: Sequence[str]) -> None:
        for queue in queues:
            full = True
            while full:
                # After a failure a single row tests the broker: a whole batch would run into the same timeout.
                size = 1 if self._failures else BATCH
                full = await self._publish_batch(queue, size) == size
                self._failures = 0

    async def _publish_batch(self, queue: str, size: int) -> int:
        """Publish the oldest rows of a queue and return their number; raise `BrokerError` if none was confirmed."""
        async with self._db.transaction() as tx:
            # Another relay that has the lease looks again after a wake-up, and publishes these rows too.
            leased = await outbox.lease(tx, settings=_SETTINGS)
            rows = await outbox.due(tx, queue, limit=size) if leased else []
            if not rows:
                return 0
            # A row of a worker queue has copies for the other queues of its topic, so it goes to that queue alone.
            target = None if queue == RELAY else queue
            outcomes = await asyncio.gather(*(self._publish(row, target) for row in rows))
            confirmed = [row["id"] for row, error in zip(rows, outcomes, strict=True) if error is None]
            refused = [(row, error) for row, error in zip(rows, outcomes, strict=True) if error is not None]
            if not confirmed and not all(isinstance(error, UnroutableError) for _, error in refused):
                raise refused[0][1]
            await outbox.finish(tx, confirmed)
            if refused:
                # The broker is available and refuses these rows; postponed, they do not block those behind them.
                log.error("relay_refused", queue=queue, rows=len(refused), error=str(refused[0][1]))
                errors = {row["id"]: error_text(error) for row, error in refused}
                await outbox.postpone(tx, errors, delay=REFUSED_DELAY)
        return len(rows)

    async def _publish(self, row: Any, queue: str | None) -> BrokerError | None:
        message = message_of(row, attempt=1)
        parent = message.headers.get("traceparent")
        if self._tracing is None or parent is None:
            return await self._confirmed(message, queue)
        span = self._tracing.begin("relay", parent)
        try:
            carried = {**message.headers, "traceparent": span.traceparent}
            return await self._confirmed(replace(message, headers=carried), queue)
        finally:
            span.end(topic=message.topic, event_id=message.event_id)

    async def _confirmed(self, message: Message, queue: str | None) -> BrokerError | None:
        try:
            await self._broker.publish(message, queue=queue)
        except BrokerError as error:
            return error
        return None
