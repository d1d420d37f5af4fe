"""The home page's script where one is enough, and on a cluster, where it takes two steps.

A person's feed, likes and quota have one slot; the cards and counters of photos, which everybody shares, have all
slots. On one server a script reads both. On a cluster it answers the ids, and what stands beside the photos is fetched
from wherever it lies; the answer looks the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from storage.cache.cards import CHANGING, DELETED, UNSHOWN
from storage.redis.client import Redis, redis_errors, values_of
from storage.redis.scripts import Argument, Script

_OK = 0


class HomeScript(Protocol):
    """What reads a page: keys, arguments and answer are those of `scripts/home.lua`."""

    async def run(self, redis: Redis, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Any:
        """Return the answer; raise `UnavailableError`."""
        ...


def home_script(redis: Redis) -> HomeScript:
    """Return what reads pages from this Redis."""
    script = Script("feeds/log", "limits/gcra", "feeds/home")
    return SplitHome(script) if redis.sharded else script


class SplitHome:
    """Read pages in two steps, or more of them where photos of the page turn out to be gone."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def run(self, redis: Redis, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Any:
        """Return what the script would answer if it saw the cards and counters."""
        _, limit, *_, life = arguments
        answer = await self._script.run(redis, keys, (*arguments, "ids"))
        quota, page = answer[1], _Page()
        position = answer[-2:]  # the first answer's: what came later is not on the page
        while answer[0] == _OK:
            _, _, whole, more, lowest, packed, _, _, (marker, *acts), *_ = answer
            ids = [packed[at : at + 8] for at in range(0, len(packed), 8)]
            await page.add(redis, ids, acts)
            missing = int(limit) - len(page.ids)
            if not missing or not more:
                beside = (page.cards, page.counts, [marker, *page.acts])
                return [_OK, quota, whole, more, lowest, b"".join(page.ids), *beside, *position]
            answer = await self._script.run(redis, keys, (ids[-1], missing, 0, 0, life, "ids"))
        return [answer[0], quota]


class _Page:
    """The photos of a page that may be shown, with what stands beside each."""

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self.cards: list[bytes | None] = []
        self.counts: list[bytes | None] = []
        self.acts: list[bytes | None] = []

    async def add(self, redis: Redis, ids: Sequence[bytes], acts: Sequence[bytes | None]) -> None:
        """Add those photos that are not gone; a card that is missing or being changed is None."""
        with redis_errors():
            values = await values_of(redis, [prefix + photo_id for prefix in (b"card:", b"count:") for photo_id in ids])
        cards, counts = values[: len(ids)], values[len(ids) :]
        for photo_id, card, count, act in zip(ids, cards, counts, acts, strict=True):
            if card not in {DELETED, UNSHOWN}:
                self.ids.append(photo_id)
                self.cards.append(None if card == CHANGING else card)
                self.counts.append(count)
                self.acts.append(act)
