"""List of the service's live processes; a process without a heartbeat for a deadline is dead.

All times are Redis' own, so that clocks of different machines are never compared. A step of Redis' clock is noticed by
the time between two heartbeats of one process, which that process measures with its monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from channels.bus.addressing import PROCESSES_KEY
from channels.bus.redis_client import RedisClient, Script, live_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """Result of a heartbeat.

    `was_unknown` is whether the process was not on the list. `dead` are processes that the caller has to remove, each
    with the millisecond of its last heartbeat.
    """

    was_unknown: bool
    dead: Mapping[bytes, int]


class Processes:
    """The list of live processes in Redis; all methods raise `LiveUnavailableError`."""

    def __init__(self, redis: RedisClient, process_id: bytes, *, deadline: float) -> None:
        self._redis = redis
        self._process_id = process_id
        self._deadline_ms = int(deadline * 1000)
        self._script = Script(redis, "heartbeat.lua")
        self._attempted_at: float | None = None  # in seconds of the monotonic clock

    async def beat(self, *, expire: bool) -> Beat:
        """Record that this process lives; with `expire`, hand processes past the deadline to this caller alone."""
        # Counted from the last attempt, which Redis may have recorded or not. If not, the step seems larger than it is,
        # and dead processes are found a deadline later.
        now = time.monotonic()
        elapsed_ms = -1 if self._attempted_at is None else int((now - self._attempted_at) * 1000)
        self._attempted_at = now
        arguments: list[Any] = [self._process_id, self._deadline_ms, int(expire), elapsed_ms]
        with live_errors():
            was_unknown, dead = await self._script(keys=[PROCESSES_KEY], args=arguments)
        pairs = zip(dead[::2], dead[1::2], strict=True)
        return Beat(was_unknown=bool(was_unknown), dead={process_id: int(last) for process_id, last in pairs})

    async def unknown(self, process_ids: Collection[bytes]) -> list[bytes]:
        """Return those of these processes that are not on the list: they died without being noticed."""
        if not process_ids:
            return []
        ordered: list[Any] = list(process_ids)
        with live_errors():
            scores = await self._redis.execute_command("ZMSCORE", PROCESSES_KEY, *ordered)
        return [process_id for process_id, score in zip(ordered, scores, strict=True) if score is None]

    async def remove(self, process_ids: Collection[bytes]) -> None:
        """Remove processes that were expired, or that stop in an orderly way."""
        with live_errors():
            await self._redis.execute_command("ZREM", PROCESSES_KEY, *process_ids)
