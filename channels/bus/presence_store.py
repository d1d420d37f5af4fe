"""Who is online and who was when, in Redis; the scripts that change it tell the presence topics in the same step.

A person is online from the first connection at any process (`registry.lua`) until a while after the last one has
gone: who comes back in that time was never away. Per slot group there are two sorted sets, of those who are said to
be online and of the others (see `channels.bus.addressing`), and everybody stands in one of them at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.bus.addressing import (
    GROUPS,
    last_seen_key,
    presence_channel_prefix,
    present_key,
    registry_key,
    user_field,
)
from channels.bus.envelope import PRESENCE_HEADER
from channels.bus.redis_client import RedisClient, Script, live_errors
from channels.contract.ports import Presence

KEPT_SECONDS = 30 * 24 * 3600
"""How long it is known when somebody was last online."""

_CHUNK = 1000  # people a script call: about 2 ms of the engine's time


@dataclass(slots=True)
class RemovedProcesses:
    """How many people left with dead processes, and which other processes people are registered at."""

    left: int = 0
    others: set[bytes] = field(default_factory=set)


class PresenceStore:
    """Read and keep who is online; all methods raise `LiveUnavailableError`."""

    def __init__(self, redis: RedisClient, group_of: Callable[[int], int]) -> None:
        self._group_of = group_of
        self._read_script = Script(redis, "presence.lua")
        self._expire_script = Script(redis, "part.lua")
        self._remove_script = Script(redis, "clear.lua")

    async def read(self, user_id: int) -> Presence:
        """Return whether a person is online, and when they last were."""
        group = self._group_of(user_id)
        with live_errors():
            online, last = await self._read_script(
                keys=[present_key(group), last_seen_key(group)], args=[user_field(user_id)]
            )
        return Presence(online=bool(online), last_seen=int(last) or None)

    async def expire_departed(self, *, grace: float) -> int:
        """Announce as away who left `grace` seconds ago and has not come back; return how many."""
        return sum([await self._expire_group(group, int(grace * 1000)) for group in range(GROUPS)])

    async def remove_processes(self, dead: Mapping[bytes, int]) -> RemovedProcesses:
        """Let those leave who are registered at dead processes alone, at the millisecond given with each, or now for 0.

        It looks once at everybody who is online, in small steps. They are announced by `part`.
        """
        processes: list[Any] = [value for pair in dead.items() for value in pair]
        removed = RemovedProcesses()
        with live_errors():
            for group in range(GROUPS):
                cursor = b"0"
                while True:
                    keys = [registry_key(group), present_key(group)]
                    cursor, left, others = await self._remove_script(keys=keys, args=[cursor, _CHUNK, *processes])
                    removed.left += left
                    removed.others.update(others)
                    if cursor == b"0":
                        break
        return removed

    async def _expire_group(self, group: int, grace_ms: int) -> int:
        keys = [present_key(group), last_seen_key(group)]
        arguments: list[Any] = [presence_channel_prefix(group), PRESENCE_HEADER]
        expired = 0
        with live_errors():
            while True:
                count = int(
                    await self._expire_script(keys=keys, args=[grace_ms, KEPT_SECONDS * 1000, _CHUNK, *arguments])
                )
                expired += count
                if count < _CHUNK:
                    return expired
