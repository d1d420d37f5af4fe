"""Record when a user was last active, rarely enough that reading a page costs no write."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

import structlog

from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.stores.accounts import users

INTERVAL = 3600.0  # seconds
PATIENCE = 1.0  # seconds
REMEMBERED = 50_000  # users

log = structlog.get_logger(__name__)


class LastSeen:
    """Write a user's time of last activity to the database at most once an hour from each process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: OrderedDict[int, float] = OrderedDict()

    async def record(self, user_id: int) -> None:
        """Record that a user is active now; never fails, and returns after `PATIENCE` at the latest."""
        now = time.monotonic()
        if now < self._due.get(user_id, 0.0):
            return
        self._due[user_id] = now + INTERVAL
        self._due.move_to_end(user_id)
        if len(self._due) > REMEMBERED:
            self._due.popitem(last=False)
        task = asyncio.create_task(self._record(user_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Usually it is done by then. A database that is silent must not delay a feed that Redis has.
        await asyncio.wait([task], timeout=PATIENCE)

    async def _record(self, user_id: int) -> None:
        try:
            await users.touch(self._db, user_id)
        except UnavailableError as error:
            log.warning("last_seen_not_recorded", error=str(error))
