"""The live processes of the service, by what each says of itself; who falls silent is dead.

All times are the engine's, so that no two machines' clocks are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from channels.bus.addressing import PROCESSES_KEY
from channels.bus.redis_client import RedisClient, Script, live_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What a process learns by saying that it lives.

    `was_unknown` is whether it was not known; `dead` are silent processes for the caller to clear away, each with the
    millisecond at which it was last alive.
    """

    was_unknown: bool
    dead: Mapping[bytes, int]


class Processes:
    """Say that this process lives, and learn which others do not; all methods raise `LiveUnavailableError`."""

    def __init__(self, redis: RedisClient, process_id: bytes, *, deadline: float) -> None:
        self._redis = redis
        self._process_id = process_id
        self._deadline_ms = int(deadline * 1000)
        self._script = Script(redis, "beat.lua")

    async def beat(self, *, expire: bool) -> Beat:
        """Say that this process lives; with `expire`, take over those that have been silent for the deadline."""
        arguments: list[Any] = [self._process_id, self._deadline_ms, int(expire)]
        with live_errors():
            was_unknown, dead = await self._script(keys=[PROCESSES_KEY], args=arguments)
        pairs = zip(dead[::2], dead[1::2], strict=True)
        return Beat(was_unknown=bool(was_unknown), dead={process_id: int(last) for process_id, last in pairs})

    async def unknown(self, process_ids: Collection[bytes]) -> list[bytes]:
        """Return those of these processes that are not among the living: they died without being noticed."""
        if not process_ids:
            return []
        ordered: list[Any] = list(process_ids)
        with live_errors():
            scores = await self._redis.execute_command("ZMSCORE", PROCESSES_KEY, *ordered)
        return [process_id for process_id, score in zip(ordered, scores, strict=True) if score is None]

    async def remove(self, process_ids: Collection[bytes]) -> None:
        """Take processes off the list: cleared away, or stopped in good order."""
        with live_errors():
            await self._redis.execute_command("ZREM", PROCESSES_KEY, *process_ids)
