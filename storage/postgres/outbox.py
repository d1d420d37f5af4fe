"""The transactional outbox: events are rows of the transaction that caused them.

A writer adds rows and, after the commit, wakes whoever waits for their queues. The wake-up is a hint
(consumers also look by themselves once a second), so it is sent outside the transaction and coalesced:
a NOTIFY inside it would take PostgreSQL's one notification lock and make commits wait for each other.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import asyncpg
import structlog

from storage.events import Event, encode

CHANNEL = "picshare_outbox"

log = structlog.get_logger(__name__)


async def write_events(connection: Any, events: Iterable[Event], routes: Callable[[str], Sequence[str]]) -> set[str]:
    """Insert one row for each event and queue that wants it, in order; return the queues."""
    context = structlog.contextvars.get_contextvars()
    headers = {key: context[key] for key in ("request_id",) if key in context}
    rows = [
        (queue, event_id, event.topic, event.key, encode(event), headers)
        for event in events
        for event_id in (uuid.uuid4(),)
        for queue in routes(event.topic)
    ]
    await connection.executemany(
        "INSERT INTO outbox (queue, event_id, topic, key, body, headers) VALUES ($1, $2, $3, $4, $5, $6)",
        rows,
    )
    return {row[0] for row in rows}


class Wakeups:
    """Tell consumers of queues that rows wait, with at most one NOTIFY on its way at a time."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._due: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def wake(self, queues: Iterable[str]) -> None:
        """Wake the consumers of `queues` soon; never blocks and never fails."""
        self._due.update(queues)
        if self._due and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Wait for the NOTIFY that is on its way."""
        if self._task is not None:
            await self._task

    async def _send(self) -> None:
        while self._due:
            queues, self._due = self._due, set()
            try:
                await self._pool.execute(
                    "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, queue) "
                    "FROM unnest($2::text[]) AS queue",
                    CHANNEL,
                    sorted(queues),
                )
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outbox_wakeup_failed", queues=sorted(queues), error=str(error))
