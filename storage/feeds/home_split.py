"""The script of the home page: one call on a single server, two steps on a cluster.

A user's feed, likes and quota share a slot. The cards and counters of photos, which all users share, are spread over
all slots. On a single server one script reads everything. On a cluster the script returns the ids; cards and counters
are then read from the masters that have them. The result has the same form, so only this module knows the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from storage.cache.cards import CHANGING, DELETED, HIDDEN
from storage.redis.client import Redis, redis_errors, values_of
from storage.redis.scripts import Argument, Script

_OK = 0


class HomeScript(Protocol):
    """Reads a page; keys, arguments and reply are those of `lua/home.lua`."""

    async def run(self, redis: Redis, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Any:
        """Return the reply; raise `UnavailableError`."""
        ...


def home_script(redis: Redis) -> HomeScript:
    """Return the implementation for this Redis."""
    script = Script("feeds/log", "feeds/group", "feeds/place", "feeds/stars", "limits/gcra", "feeds/home")
    return SplitHome(script) if redis.sharded else script


class SplitHome:
    """Reads a page in two steps, and repeats them while photos of the page turn out to be deleted."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def run(self, redis: Redis, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Any:
        """Return what the script would return if it could read cards and counters itself."""
        _, limit, *_, ttl, window, oldest = arguments
        reply = await self._script.run(redis, keys, (*arguments, "ids"))
        quota, page = reply[1], _Page()
        # Of the first reply: entries that are inserted between the steps are not on the page.
        position = reply[-2:]
        while reply[0] == _OK:
            _, _, whole, more, lowest, packed, _, _, (marker, *acts), *_ = reply
            ids = [packed[at : at + 8] for at in range(0, len(packed), 8)]
            await page.add(redis, ids, acts)
            missing = int(limit) - len(page.ids)
            if not missing or not more:
                details = (page.cards, page.counts, [marker, *page.acts])
                return [_OK, quota, whole, more, lowest, b"".join(page.ids), *details, *position]
            reply = await self._script.run(redis, keys, (ids[-1], missing, 0, 0, 0, ttl, window, oldest, "ids"))
        return [reply[0], quota]


class _Page:
    """The visible photos of a page, with the card, counters and like of each."""

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self.cards: list[bytes | None] = []
        self.counts: list[bytes | None] = []
        self.acts: list[bytes | None] = []

    async def add(self, redis: Redis, ids: Sequence[bytes], acts: Sequence[bytes | None]) -> None:
        """Add the photos that are not deleted or hidden; a card that is missing or being changed is None."""
        with redis_errors():
            values = await values_of(redis, [prefix + photo_id for prefix in (b"card:", b"count:") for photo_id in ids])
        cards, counts = values[: len(ids)], values[len(ids) :]
        for photo_id, card, count, act in zip(ids, cards, counts, acts, strict=True):
            if card not in {DELETED, HIDDEN}:
                self.ids.append(photo_id)
                self.cards.append(None if card == CHANGING else card)
                self.counts.append(count)
                self.acts.append(act)
