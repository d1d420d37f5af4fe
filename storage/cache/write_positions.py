"""Positions in PostgreSQL's write-ahead log up to which users' reads have to see, in Redis for all processes.

`wal:{group}:<user>` holds the greatest position of a user's last writes, as hexadecimal digits. `wal:{group}` is a mark
of each slot group with the time since when its data are complete: if Redis loses its data, the mark is lost, too, and
until all positions from before would have expired, every user counts as having one that no replica has reached.
"""

from __future__ import annotations

from storage.ids import slot_group
from storage.postgres.replication import POSITION_TTL
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition
from storage.redis.client import Redis
from storage.redis.scripts import Script


class WritePositions:
    """`KeptPositions` in Redis; `ttl` in seconds."""

    def __init__(self, redis: Redis, *, ttl: float = POSITION_TTL) -> None:
        self._redis = redis
        self._ttl = round(ttl * 1000)
        self._keep = Script("cache/keep_position")
        self._position_of = Script("cache/position_of")

    async def keep(self, user_id: int, position: WalPosition) -> None:
        """Keep a user's position unless a greater one is kept; raise `UnavailableError`."""
        await self._keep.run(self._redis, [_key(user_id)], (position.encode().encode(), self._ttl))

    async def of(self, user_id: int) -> WalPosition:
        """Return a user's position; raise `UnavailableError`."""
        mark = b"wal:{%d}" % slot_group(user_id)
        position, complete = await self._position_of.run(self._redis, [_key(user_id), mark], (self._ttl,))
        if not complete:
            return UNREACHABLE
        return START if position is None else WalPosition.decode(position.decode())


def _key(user_id: int) -> bytes:
    return b"wal:{%d}:%d" % (slot_group(user_id), user_id)
