"""Presence of users in Redis; the scripts that change it publish the change to the presence topic in the same step.

A user is online from the first connection at any process (`registry.lua`) until a grace period after the last one has
closed; a user who reconnects within it was never offline. Each slot group has two sorted sets, of the users announced
as online and of those announced as offline (see `channels.bus.addressing`). A user is in at most one of them.
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
"""How long the time of a user's last presence is retained."""

_CHUNK = 1000  # users per script call: about 2 ms of Redis' time


@dataclass(slots=True)
class RemovedProcesses:
    """Result of `remove_processes`: how many users left, and the other processes found in the registry."""

    left: int = 0
    others: set[bytes] = field(default_factory=set)


class PresenceStore:
    """The presence of users; all methods raise `LiveUnavailableError`."""

    def __init__(self, redis: RedisClient, group_of: Callable[[int], int]) -> None:
        self._group_of = group_of
        self._read_script = Script(redis, "presence.lua")
        self._expire_script = Script(redis, "expire_departed.lua")
        self._remove_script = Script(redis, "remove_processes.lua")

    async def read(self, user_id: int) -> Presence:
        """Return whether a user is online, and else when that was last so."""
        group = self._group_of(user_id)
        with live_errors():
            online, last = await self._read_script(
                keys=[present_key(group), last_seen_key(group)], args=[user_field(user_id)]
            )
        return Presence(online=bool(online), last_seen=int(last) or None)

    async def expire_departed(self, *, grace: float) -> int:
        """Announce users as offline whose last connection closed `grace` seconds ago; return their number."""
        return sum([await self._expire_group(group, int(grace * 1000)) for group in range(GROUPS)])

    async def remove_processes(self, dead: Mapping[bytes, int]) -> RemovedProcesses:
        """Remove dead processes from the registry.

        `dead` maps each process to the millisecond of its last heartbeat, or 0 if that is unknown. Users registered at
        no other process have left at that time (now for 0); `expire_departed` announces them later. Scans all online
        users once, in small steps.
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
            # A full chunk means that there may be more.
            while True:
                count = int(
                    await self._expire_script(keys=keys, args=[grace_ms, KEPT_SECONDS * 1000, _CHUNK, *arguments])
                )
                expired += count
                if count < _CHUNK:
                    return expired
