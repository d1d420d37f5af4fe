"""What Redis knows of ended sessions, told again from PostgreSQL after Redis has lost it."""

from __future__ import annotations

import asyncio
import math

from storage.ids import SLOT_GROUPS, slot_group
from storage.limits.tickets import Tickets
from storage.postgres.database import Queryable
from storage.redis.client import Redis, redis_errors, values_of
from storage.stores import sessions
from storage.stores.sessions import Ended

_MARKS = [b"revocations:{%d}" % group for group in range(SLOT_GROUPS)]


class Revocations:
    """Keep the revocations whole; `life` is how many seconds one is kept. Raises `UnavailableError`."""

    def __init__(self, db: Queryable, redis: Redis, *, life: int) -> None:
        self._db = db
        self._redis = redis
        self._tickets = Tickets(redis)
        self._life = life

    async def restore(self) -> int:
        """Write what is missing and return how many sessions that were.

        A mark for each slot group, which never expires, is lost together with the revocations beside it. It is set
        last: until then whoever looks does the same again.
        """
        with redis_errors():
            marks = await values_of(self._redis, _MARKS)
        lost = {group for group, mark in enumerate(marks) if mark is None}
        if not lost:
            return 0
        ended = await sessions.ended_within(self._db, self._life)
        ended = [session for session in ended if slot_group(session.user_id) in lost]
        await asyncio.gather(*(self._revoke(session) for session in ended))
        with redis_errors():
            await asyncio.gather(*(self._redis.execute_command("SET", _MARKS[group], b"1") for group in lost))
        return len(ended)

    async def _revoke(self, session: Ended) -> None:
        left = max(1, math.ceil(self._life - session.age))
        await self._tickets.revoke_session(session.session_id, session.user_id, ttl=left)
