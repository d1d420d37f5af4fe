"""The embedded broker: the outbox table itself, claimed row by row.

Its consumers are woken by the commits of their own process directly, and by those of others with NOTIFY.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

import structlog

from storage.errors import UnavailableError
from storage.postgres import outbox
from storage.postgres.database import Database
from workers.broker.backoff import reconnect_pause
from workers.broker.claims import ClaimConnection, message_of
from workers.broker.listener import OutboxListener
from workers.broker.outcomes import JobStatus, run_handler
from workers.broker.port import DeadLetter, Handler, Message, Policy
from workers.broker.routing import QUEUES
from workers.errors import BrokerError

log = structlog.get_logger(__name__)


class LocalBroker:
    """Broker on the outbox table of one database; see `workers.broker.port.Broker`.

    `db` must be a `Database` of its own, with one connection for each message in progress and two more for each queue:
    a claim holds its connection while the handler runs, and the handler's own connections come from another pool.
    `writer` is the `Database` with which this process emits its events, if it emits any.
    """

    def __init__(self, db: Database, *, writer: Database | None = None) -> None:
        self._db = db
        self._writer = writer

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Consume a queue until cancelled; wait while PostgreSQL is unavailable."""
        consumer = _Consumer(self._db, queue, handler, policy)
        with self._writer.consumer(queue, consumer.wake) if self._writer else nullcontext():
            await consumer.run()

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return the dead letters of one queue, or of all, oldest first."""
        with _broker_errors():
            rows = await outbox.dead_letters(self._db, queue, limit=limit)
        return [
            DeadLetter(
                id=str(row["id"]),
                queue=row["queue"],
                message=message_of(row, attempt=row["attempts"]),
                error=row["last_error"],
                died_at=row["died_at"],
            )
            for row in rows
        ]

    async def replay(self, dead_letter_id: str) -> bool:
        """Move a dead letter back to its queue as a first attempt; return False if it does not exist."""
        return await self._change(outbox.replay, dead_letter_id)

    async def delete(self, dead_letter_id: str) -> bool:
        """Delete a dead letter; return False if it does not exist."""
        return await self._change(outbox.delete, dead_letter_id)

    async def _change(self, change: Callable[[outbox.Writer, int], Awaitable[bool]], dead_letter_id: str) -> bool:
        row_id = _row_id(dead_letter_id)
        if row_id is None:
            return False
        # In a transaction, because a statement outside of one is repeated when its connection is lost.
        with _broker_errors():
            async with self._db.transaction() as tx:
                return await change(tx, row_id)

    async def depths(self) -> Mapping[str, int]:
        """Return the number of rows of each queue, those in progress and those postponed included."""
        with _broker_errors():
            found = await outbox.depths(self._db)
        return {name: 0 for queue in QUEUES for name in (queue, f"{queue}.dead")} | found

    async def queues_without_consumers(self) -> Sequence[str]:
        """Return nothing: consumers leave no trace in the database, and the process that uses this broker runs all."""
        return ()

    async def close(self) -> None:
        """Do nothing: the database belongs to the caller."""


class _Consumer:
    """Consumer of one queue: one task claims, and a task for each message handles it on the claim's connection."""

    def __init__(self, db: Database, queue: str, handler: Handler, policy: Policy) -> None:
        self._db = db
        self._queue = queue
        self._handler = handler
        self._policy = policy
        self._listener = OutboxListener(db, [queue])
        self._slots = asyncio.Semaphore(policy.concurrency)
        self._idle: list[ClaimConnection] = []
        self._failures = 0

    def wake(self) -> None:
        """Look for rows now."""
        self._listener.notify()

    async def run(self) -> None:
        """Claim and handle rows until cancelled."""
        try:
            # On cancellation the group cancels the handlers; their rows are released uncounted with the connections.
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listener.run())
                while True:
                    # The slot comes before the claim: a row must not be locked that no handler can take yet.
                    await self._slots.acquire()
                    claimed = await self._claim()
                    if claimed is None:
                        self._slots.release()
                    else:
                        connection, message = claimed
                        tasks.create_task(self._handle(connection, message))
                        # After the last row another look would find none. Rows that are committed later wake the loop.
                        if connection.more:
                            continue
                    if not await self._listener.wait():
                        await self._close_surplus()
        finally:
            for connection in self._idle:
                await self._close(connection)

    async def _claim(self) -> tuple[ClaimConnection, Message] | None:
        connection: ClaimConnection | None = None
        try:
            connection = self._idle.pop() if self._idle else await ClaimConnection.open(self._db)
            message = await connection.claim(self._queue)
        except UnavailableError as error:
            await self._wait_out(connection, error)
            return None
        except BaseException:
            if connection is not None:
                await self._close(connection)
            raise
        self._failures = 0
        if message is None:
            self._idle.append(connection)
            return None
        return connection, message

    async def _wait_out(self, connection: ClaimConnection | None, error: Exception) -> None:
        """Pause after a failed claim."""
        self._failures += 1
        # The idle connections are most likely lost too, and would each cost another failure and pause.
        connections, self._idle = [*self._idle, *([connection] if connection else [])], []
        for each in connections:
            await self._close(each)
        # The failed look may have used up a notification.
        self._listener.notify()
        log.warning("outbox_claim_failed", queue=self._queue, failures=self._failures, error=str(error))
        await asyncio.sleep(reconnect_pause(self._failures))

    async def _handle(self, connection: ClaimConnection, message: Message) -> None:
        healthy = False
        try:
            outcome = await run_handler(self._handler, message, self._policy)
            await connection.finish(outcome)
            healthy = True
            if outcome.status is JobStatus.RETRIED:
                # No writer notifies when a postponed row becomes due.
                self._listener.notify_after(outcome.delay)
        except UnavailableError as error:
            # The claim ended with its connection, so the row is free and will be delivered again.
            log.warning("job_not_finished", queue=self._queue, event_id=message.event_id, error=str(error))
        finally:
            if healthy:
                self._idle.append(connection)
            else:
                await self._close(connection)
            self._slots.release()

    async def _close_surplus(self) -> None:
        """Close all idle connections but one, after a second without messages."""
        while len(self._idle) > 1:
            await self._close(self._idle.pop())

    async def _close(self, connection: ClaimConnection) -> None:
        try:
            await connection.close()
        except UnavailableError as error:
            log.info("outbox_connection_lost", queue=self._queue, error=str(error))


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        raise BrokerError(str(error)) from error


def _row_id(dead_letter_id: str) -> int | None:
    """Return the id of a row of `dead_letters`, or None for a text that no row can have."""
    # isdigit() alone is true for digits of every script, and PostgreSQL refuses what exceeds a bigint.
    if not (dead_letter_id.isascii() and dead_letter_id.isdigit()):
        return None
    row_id = int(dead_letter_id)
    return row_id if row_id < 1 << 63 else None
