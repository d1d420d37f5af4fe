"""Sending of deliveries: finds the users whose deliveries are due, and takes turns (`delivery_turns`) at them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from storage.errors import StorageError
from storage.postgres.database import Database
from storage.stores.notifications import deliveries, delivery_claims
from workers.deliveries.port import DeliveryMetrics
from workers.jobs.deliveries.delivery_turns import DeliveryTurns

POLL = 1.0  # seconds; what another process has stored is found after so long
_MEASURED = 15.0  # seconds between two measurements
_USERS = 100  # that one look finds

log = structlog.get_logger(__name__)


class DeliverySending:
    """Sends due deliveries to `in_flight` users at once; any number of processes can do so."""

    def __init__(
        self, db: Database, turns: DeliveryTurns, metrics: DeliveryMetrics, *, in_flight: int = 32, poll: float = POLL
    ) -> None:
        self._db = db
        self._turns = turns
        self._metrics = metrics
        self._poll = poll
        self._free = asyncio.Semaphore(in_flight)
        self._work = asyncio.Event()
        self._under_way: set[int] = set()
        self._down = False  # the database did not answer the last look

    def notify(self) -> None:
        """Look for due deliveries now."""
        self._work.set()

    async def run(self) -> None:
        """Send until cancelled. What is on its way then is sent again, when its lease has expired."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure())
            while True:
                # Cleared before the look, so that a signal during the look causes another one.
                self._work.clear()
                found = [one for one in await self._due() if one not in self._under_way]
                for user_id in found:
                    await self._free.acquire()
                    self._under_way.add(user_id)
                    tasks.create_task(self._serve(user_id))
                if not found:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._poll):
                            await self._work.wait()

    async def send_due(self) -> None:
        """Take the turns of all users whose deliveries are due, one after the other, until none is left."""
        while found := await delivery_claims.due_users(self._db, limit=_USERS):
            for user_id in found:
                await self._turns.take(user_id)

    async def _due(self) -> list[int]:
        try:
            found = await delivery_claims.due_users(self._db, limit=_USERS)
        except StorageError as error:
            # Once for an outage, in which each look fails.
            if not self._down:
                log.warning("deliveries_not_claimed", error=str(error))
            self._down = True
            return []
        self._down = False
        return found

    async def _serve(self, user_id: int) -> None:
        try:
            more = await self._turns.take(user_id)
        except StorageError as error:
            # The lease expires, and what was not finished is sent again.
            log.warning("deliveries_not_finished", user_id=user_id, error=str(error))
            more = False
        finally:
            self._under_way.discard(user_id)
            self._free.release()
        if more:
            self.notify()

    async def _measure(self) -> None:
        while True:
            try:
                self._metrics.deliveries_due(
                    oldest_seconds=await deliveries.oldest_due(self._db), waiting=await deliveries.waiting(self._db)
                )
            except StorageError as error:
                log.warning("deliveries_not_measured", error=str(error))
            await asyncio.sleep(_MEASURED)
