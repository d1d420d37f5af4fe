"""The embedded broker: the outbox table itself, claimed row by row and woken by NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from storage.errors import UnavailableError
from storage.postgres import outbox
from storage.postgres.database import Database
from workers.broker.backoff import reconnect_pause
from workers.broker.claims import ClaimConnection, message_of
from workers.broker.listener import OutboxListener
from workers.broker.outcomes import Outcome, work
from workers.broker.port import DeadLetter, Handler, Message, Policy
from workers.broker.routing import QUEUES
from workers.errors import BrokerError

log = structlog.get_logger(__name__)


class LocalBroker:
    """Work the outbox table of one database; see `workers.broker.port.Broker`.

    `db` must be a `Database` of its own, with a connection for each message at work and one more for
    each queue: a claim holds its connection while the handler, which has other connections, runs.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Work a queue until cancelled; wait out any time that PostgreSQL is away."""
        await _Consumer(self._db, queue, handler, policy).run()

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List what was given up on, oldest first."""
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

    async def replay(self, letter_id: str) -> bool:
        """Move a dead letter back to its queue as a first attempt; False if there is none such."""
        row_id = _row_id(letter_id)
        with _broker_errors():
            return row_id is not None and await outbox.replay(self._db, row_id)

    async def delete(self, letter_id: str) -> bool:
        """Forget a dead letter for good; False if there is none such."""
        row_id = _row_id(letter_id)
        with _broker_errors():
            return row_id is not None and await outbox.delete(self._db, row_id)

    async def depths(self) -> Mapping[str, int]:
        """Return how many rows each queue holds, those at work and those put off included."""
        with _broker_errors():
            found = await outbox.depths(self._db)
        return {name: 0 for queue in QUEUES for name in (queue, f"{queue}.dead")} | found

    async def close(self) -> None:
        """Do nothing: the database belongs to whoever opened it."""


class _Consumer:
    """Work one queue: one task claims, and a task for each message works it on the claim's connection."""

    def __init__(self, db: Database, queue: str, handler: Handler, policy: Policy) -> None:
        self._db = db
        self._queue = queue
        self._handler = handler
        self._policy = policy
        self._bell = OutboxListener(db, [queue])
        self._slots = asyncio.Semaphore(policy.concurrency)
        self._idle: list[ClaimConnection] = []
        self._failures = 0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._bell.run())
                while True:
                    await self._slots.acquire()
                    claimed = await self._claim()
                    if claimed is not None:
                        tasks.create_task(self._work(*claimed))
                        continue
                    self._slots.release()
                    if not await self._bell.wait():
                        await self._thin_out()
        finally:
            for lane in self._idle:
                await self._give_back(lane)

    async def _claim(self) -> tuple[ClaimConnection, Message] | None:
        lane: ClaimConnection | None = None
        try:
            lane = self._idle.pop() if self._idle else await ClaimConnection.open(self._db)
            message = await lane.claim(self._queue)
        except UnavailableError as error:
            await self._outage(lane, error)
            return None
        except BaseException:
            if lane is not None:
                await self._give_back(lane)
            raise
        self._failures = 0
        if message is None:
            self._idle.append(lane)
            return None
        return lane, message

    async def _outage(self, lane: ClaimConnection | None, error: Exception) -> None:
        self._failures += 1
        # The other lanes have most likely lost their connections too.
        lanes, self._idle = [*self._idle, *([lane] if lane else [])], []
        for each in lanes:
            await self._give_back(each)
        self._bell.ring()
        log.warning("outbox_claim_failed", queue=self._queue, failures=self._failures, error=str(error))
        await asyncio.sleep(reconnect_pause(self._failures))

    async def _work(self, lane: ClaimConnection, message: Message) -> None:
        healthy = False
        try:
            verdict = await work(self._handler, message, self._policy)
            await lane.settle(verdict)
            healthy = True
            if verdict.outcome is Outcome.RETRIED:
                self._bell.ring_in(verdict.delay)
        except UnavailableError as error:
            # The claim went with its connection: the row is free, and will be delivered again.
            log.warning("job_unsettled", queue=self._queue, event_id=message.event_id, error=str(error))
        finally:
            if healthy:
                self._idle.append(lane)
            else:
                await self._give_back(lane)
            self._slots.release()

    async def _thin_out(self) -> None:
        """Keep one connection warm after a quiet second, and give the others back."""
        while len(self._idle) > 1:
            await self._give_back(self._idle.pop())

    async def _give_back(self, lane: ClaimConnection) -> None:
        try:
            await lane.close()
        except UnavailableError as error:
            log.info("outbox_lane_lost", queue=self._queue, error=str(error))


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        raise BrokerError(str(error)) from error


def _row_id(dead_letter_id: str) -> int | None:
    """Return the id of a row of `dead_letters`, or None for a text that no row can have."""
    if not (dead_letter_id.isascii() and dead_letter_id.isdigit()):
        return None
    row_id = int(dead_letter_id)
    return row_id if row_id < 1 << 63 else None
