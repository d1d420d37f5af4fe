"""Notifications of the outbox's consumers, after the commits of its writers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import structlog

from storage.errors import UnavailableError
from storage.postgres.driver_errors import driver_errors
from storage.postgres.outbox import CHANNEL

log = structlog.get_logger(__name__)

# No event depends on this commit, so it does not wait for the disk.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, queue) FROM unnest($2::text[]) AS queue"

Notify = Callable[[Sequence[str]], Awaitable[None]]


class Notifier:
    """Notifies the consumers of queues that rows were committed, with at most one notification in progress.

    `notify` sends it; after `UnavailableError` the consumers' polling finds the rows. Consumers in this process are
    called instead.
    """

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._consumers: dict[str, list[Callable[[], None]]] = {}
        self._due: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    @contextmanager
    def consumer(self, queue: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` when rows of `queue` were committed, in place of a notification, until the block ends."""
        wakes = self._consumers.setdefault(queue, [])
        wakes.append(wake)
        try:
            yield
        finally:
            wakes.remove(wake)

    def notify(self, queues: Iterable[str]) -> None:
        """Notify the consumers of `queues` soon; never blocks and never fails."""
        for queue in queues:
            if wakes := self._consumers.get(queue):
                for wake in wakes:
                    wake()
            else:
                self._due.add(queue)
        if self._due and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Wait for the notification in progress."""
        if self._task is not None:
            await self._task

    async def _send(self) -> None:
        # Queues that become due during a notification leave together in the next one.
        while self._due:
            queues, self._due = sorted(self._due), set()
            try:
                await self._notify(queues)
            except UnavailableError as error:
                # Not an error of the writer: its rows are committed. During an outage every one of them would fail.
                if not self._failing:
                    log.warning("outbox_notify_failed", queues=queues, error=str(error))
                self._failing = True
            else:
                self._failing = False


def notify_over(connection: Callable[[], AbstractAsyncContextManager[Any]]) -> Notify:
    """Return the function that notifies the listeners of this PostgreSQL over one of its connections.

    NOTIFY inside the writer's transaction would be simpler, but it takes a lock that PostgreSQL has once for all
    databases, and holds it through the commit: all commits would wait for each other.
    """

    async def notify(queues: Sequence[str]) -> None:
        async with connection() as session:
            with driver_errors():
                await session.execute(_NOTIFY, CHANNEL, queues)

    return notify
