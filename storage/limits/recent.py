"""What users did recently, counted in Redis: different members of a sliding window, in bounded space and time."""

from __future__ import annotations

from datetime import datetime, timedelta

from storage.ids import slot_group
from storage.redis.client import Redis, redis_errors
from storage.redis.scripts import Script


class RecentMembers:
    """Sets of recent members, by user and name; raises `UnavailableError` if Redis does not answer.

    Times are those of the events, not of their handling: after an outage a day's events are handled within a minute.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = Script("limits/recent")

    async def add(self, user_id: int, name: str, member: str, *, at: datetime, window: timedelta, most: int) -> int:
        """Add a member, and return the number of different ones in the window that ends `at`; at most `most` are kept.

        The same member counts once, so that an event may be handled twice.
        """
        arguments = (member, _milliseconds(at), int(window.total_seconds() * 1000), most)
        return int(await self._add.run(self._redis, [_key(user_id, name)], arguments))

    async def has(self, user_id: int, name: str, member: str, *, at: datetime, window: timedelta) -> bool:
        """Return whether a member was added in the window that ends `at`."""
        with redis_errors():
            found = await self._redis.execute_command("ZSCORE", _key(user_id, name), member)
        return found is not None and float(found) > _milliseconds(at) - window.total_seconds() * 1000


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _key(user_id: int, name: str) -> bytes:
    # In the user's slot group, as all keys of a user.
    return b"recent:{%d}:%d:%b" % (slot_group(user_id), user_id, name.encode())
