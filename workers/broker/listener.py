"""Notice new outbox rows: receive the writers' notifications, and poll once a second in case one is lost.

Consumers of the embedded broker LISTEN to PostgreSQL. On a cluster a notification stays on the server that sent it, so
the relay is woken by another signal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import structlog

from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.postgres.driver_errors import driver_errors
from storage.postgres.outbox import CHANNEL, NO_CHANGE
from workers.broker.backoff import reconnect_pause

POLL_INTERVAL = 1.0  # seconds; the longest delay of a row whose notification is lost
PING_INTERVAL = 5.0  # seconds; a connection that swallows packets, or whose server is read-only, is noticed by this

log = structlog.get_logger(__name__)


class WakeUp:
    """Wakes one waiting task.

    A wake-up means that there may be rows: the waiter then takes rows until it finds none.
    """

    def __init__(self) -> None:
        # An event and not a condition: a notification that comes while the waiter is busy must not be lost.
        self._notified = asyncio.Event()

    def notify(self) -> None:
        """Wake the waiter, now or at its next `wait`."""
        self._notified.set()

    def notify_after(self, delay: float) -> None:
        """Wake the waiter after `delay` seconds, when a postponed row becomes due."""
        asyncio.get_running_loop().call_later(delay, self._notified.set)

    async def wait(self, timeout: float = POLL_INTERVAL) -> bool:
        """Wait for a notification, at most `timeout` seconds; return whether there was one."""
        try:
            async with asyncio.timeout(timeout):
                await self._notified.wait()
        except TimeoutError:
            return False
        # Cleared before the waiter looks for rows: a notification during the look causes another look.
        self._notified.clear()
        return True


class OutboxListener(WakeUp):
    """Listener for the notifications of PostgreSQL about rows of some queues."""

    def __init__(self, db: Database, queues: Collection[str], *, ping_interval: float = PING_INTERVAL) -> None:
        super().__init__()
        self._db = db
        self._ping_interval = ping_interval
        self._queues = frozenset(queues)

    async def run(self) -> None:
        """Listen until cancelled; reconnect when the connection is lost."""
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
                await connection.add_listener(CHANNEL, self._received)
            self.notify()  # rows may have been written before LISTEN
            while not lost.is_set():
                try:
                    async with asyncio.timeout(self._ping_interval):
                        await lost.wait()
                except TimeoutError:
                    # A write, because the notifications of a server that has become read-only end without an error.
                    with driver_errors():
                        await connection.execute(NO_CHANGE)
        finally:
            # A broken connection has no listeners to remove, and the error that broke it is already being raised.
            with suppress(UnavailableError), driver_errors():
                connection.remove_termination_listener(ended)
                await connection.remove_listener(CHANNEL, self._received)
        raise UnavailableError("database", "the listening connection was closed")

    def _received(self, _connection: Any, _pid: int, _channel: str, queue: object) -> None:
        if queue in self._queues:
            self._notified.set()
