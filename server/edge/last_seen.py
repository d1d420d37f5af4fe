"""Note when a person was last here, seldom enough that reading a page costs no write."""

from __future__ import annotations

import time
from collections import OrderedDict

import structlog

from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.stores import users

INTERVAL = 3600.0  # seconds
REMEMBERED = 50_000  # people

log = structlog.get_logger(__name__)


class LastSeen:
    """Tell the database about a person at most once an hour for each process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._told: OrderedDict[int, float] = OrderedDict()

    async def seen(self, user_id: int) -> None:
        """Note that a person is here; never fails."""
        now = time.monotonic()
        if now < self._told.get(user_id, 0.0):
            return
        self._told[user_id] = now + INTERVAL
        self._told.move_to_end(user_id)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        try:
            await users.touch(self._db, user_id)
        except UnavailableError as error:
            log.warning("last_seen_not_noted", error=str(error))
