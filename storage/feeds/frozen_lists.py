"""Lists of photos in an order that changes by itself, kept in Redis for their reader while they are read.

`hl:{group}:<user>` holds a user's newest list, and `hl:{group}:<user>:before` the one that it has replaced, which
another device of the user may still be reading. So a user has two lists at most, of 4 KB each. A list is lost together
with Redis' other data; its reader begins again then.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from typing import NamedTuple

from storage.ids import pack_ids, slot_group, unpack_ids
from storage.redis.client import Redis
from storage.redis.scripts import Argument, Script

FRESH = 600  # seconds for which a list is given again to a reader who begins
TTL = 600  # seconds after the last page was read

_HEADER = struct.Struct(">Q8xQQ")  # id, time (for the script), wish, beginning
_REST = struct.Struct(">Q")


class FrozenList(NamedTuple):
    """Photos in an order; `since` is the time from which on they are, in Unix milliseconds, 0 for all."""

    id: int
    since: int
    photo_ids: Sequence[int]


class FrozenLists:
    """The lists of all users; raises `UnavailableError` if Redis does not answer.

    `wish` is what the user asked for, a number from which `since` follows at that moment.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = Script("feeds/frozen_list")

    async def newest(self, user_id: int, *, wish: int) -> FrozenList | None:
        """Return the list that a user began in the last `FRESH` seconds with the same wish, or None."""
        found = await self._run(user_id, "begin", wish.to_bytes(8, "big"), FRESH)
        return _parsed(found) if found else None

    async def keep(self, user_id: int, photo_ids: Sequence[int], *, wish: int, since: int) -> FrozenList:
        """Keep a list and return it, or the one of another request that came first."""
        content = (secrets.token_bytes(8), _REST.pack(since) + pack_ids(photo_ids))
        return _parsed(await self._run(user_id, "begin", wish.to_bytes(8, "big"), FRESH, *content))

    async def find(self, user_id: int, list_id: int) -> FrozenList | None:
        """Return a list that a user goes on with; None if none of its pages was read in the last `TTL` seconds."""
        found = await self._run(user_id, "go_on", list_id.to_bytes(8, "big"))
        return _parsed(found) if found else None

    async def _run(self, user_id: int, action: str, *arguments: Argument) -> bytes:
        key = b"hl:{%d}:%d" % (slot_group(user_id), user_id)
        reply: bytes = await self._script.run(self._redis, [key, key + b":before"], (action, TTL, *arguments))
        return reply


def _parsed(content: bytes) -> FrozenList:
    list_id, _, since = _HEADER.unpack_from(content)
    return FrozenList(list_id, since, unpack_ids(content[_HEADER.size :]))
