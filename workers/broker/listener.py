"""Know at once that outbox rows wait: LISTEN for the writers' hint, and look anyway once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import structlog

from storage.errors import UnavailableError
from storage.postgres.database import Database, driver_errors
from storage.postgres.outbox import CHANNEL
from workers.broker.backoff import reconnect_pause

LOOK_ANYWAY = 1.0  # seconds; bounds how late a row is found whose hint was lost
PING_EVERY = 5.0  # seconds; a connection that swallows packets is noticed by this

log = structlog.get_logger(__name__)


class OutboxListener:
    """Ring when rows of one of `queues` may wait. One waiter; a ring that nobody awaits yet is kept."""

    def __init__(self, db: Database, queues: Collection[str]) -> None:
        self._db = db
        self._queues = frozenset(queues)
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter."""
        self._rung.set()

    def ring_in(self, delay: float) -> None:
        """Wake the waiter after `delay` seconds, when a row becomes due."""
        asyncio.get_running_loop().call_later(delay, self._rung.set)

    async def wait(self, within: float = LOOK_ANYWAY) -> bool:
        """Wait for a ring, at most `within` seconds; return whether there was one."""
        try:
            async with asyncio.timeout(within):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made anew."""
        failures = 0
        while True:
            try:
                async with self._db.connection() as connection:
                    failures = 0
                    await self._listen(connection)
            except UnavailableError as error:
                failures += 1
                log.warning("outbox_listen_lost", queues=sorted(self._queues), error=str(error))
                await asyncio.sleep(reconnect_pause(failures))

    async def _listen(self, connection: Any) -> None:
        lost = asyncio.Event()

        def ended(_: Any) -> None:
            lost.set()

        connection.add_termination_listener(ended)
        try:
            with driver_errors():
                await connection.add_listener(CHANNEL, self._heard)
            self.ring()  # for whatever was written while nobody listened
            while not lost.is_set():
                try:
                    async with asyncio.timeout(PING_EVERY):
                        await lost.wait()
                except TimeoutError:
                    with driver_errors():
                        await connection.fetchval("SELECT 1")
        finally:
            # On a broken connection there is nothing to take back, and what broke it is already on its way up.
            with suppress(UnavailableError), driver_errors():
                connection.remove_termination_listener(ended)
                await connection.remove_listener(CHANNEL, self._heard)
        raise UnavailableError("database", "the listening connection was closed")

    def _heard(self, _connection: Any, _pid: int, _channel: str, queue: object) -> None:
        if queue in self._queues:
            self._rung.set()
