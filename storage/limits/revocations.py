"""Restore the revocations of ended sessions from PostgreSQL after Redis has lost them."""

from __future__ import annotations

import asyncio
import math

from storage.ids import SLOT_GROUPS, slot_group
from storage.limits.tickets import Tickets
from storage.postgres.database import Queryable
from storage.redis.client import Redis, redis_errors, values_of
from storage.stores.credentials import sessions
from storage.stores.credentials.sessions import Ended

_MARKS = [b"revocations:{%d}" % group for group in range(SLOT_GROUPS)]


class Revocations:
    """Restores lost revocations; each is kept for `ttl` seconds. Raises `UnavailableError`."""

    def __init__(self, db: Queryable, redis: Redis, *, ttl: int) -> None:
        self._db = db
        self._redis = redis
        self._tickets = Tickets(redis)
        self._ttl = ttl

    async def restore(self) -> int:
        """Write the missing revocations and return their number.

        Each slot group has a mark that never expires. It is lost together with the revocations of its group.
        """
        with redis_errors():
            marks = await values_of(self._redis, _MARKS)
        lost = {group for group, mark in enumerate(marks) if mark is None}
        if not lost:
            return 0
        ended = await sessions.ended_within(self._db, self._ttl)
        ended = [session for session in ended if slot_group(session.user_id) in lost]
        await asyncio.gather(*(self._revoke(session) for session in ended))
        # The marks are set last: if this fails halfway, the next call restores everything again.
        with redis_errors():
            await asyncio.gather(*(self._redis.execute_command("SET", _MARKS[group], b"1") for group in lost))
        return len(ended)

    async def _revoke(self, session: Ended) -> None:
        # The age is negative if PostgreSQL's clock has stepped back since the session ended.
        remaining = math.ceil(min(max(self._ttl - session.age, 1), self._ttl))
        await self._tickets.revoke_session(session.session_id, session.user_id, ttl=remaining)
