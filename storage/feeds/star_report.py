"""What operators want to know about stars in Redis: how much feeds pull, and whether the logs of stars are there."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import NamedTuple

from storage.feeds.star_logs import log_key
from storage.ids import SLOT_GROUPS, pack_ids, unpack_ids
from storage.redis.client import Redis, redis_errors

_KEYS_PER_CALL = 1_000
_NEWEST = b"*"  # the field of the heads that is of no star


class Pulls(NamedTuple):
    """How often feeds have pulled photos, and how many photos."""

    pulls: int
    photos: int


class StarReport:
    """Reads the keys of `star_logs`; raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def take_pulls(self) -> Pulls:
        """Return what was pulled since the last call, of whichever process."""
        pulls, photos = await asyncio.gather(self._take(b"starpulls:{%d}"), self._take(b"starpulled:{%d}"))
        return Pulls(pulls=pulls, photos=photos)

    async def logged(self) -> set[int]:
        """Return the authors who have a head in any slot group."""
        found = await asyncio.gather(*(self._heads(group) for group in range(SLOT_GROUPS)))
        return set(unpack_ids(b"".join(set().union(*found))))

    async def complete(self, star_ids: Sequence[int]) -> set[int]:
        """Return which of these stars have their log, and the head of it, in every slot group."""
        stars = [pack_ids([star_id]) for star_id in star_ids]
        found = await asyncio.gather(*(self._complete_in(group, stars) for group in range(SLOT_GROUPS)))
        return set(unpack_ids(b"".join(set(stars).intersection(*found))))

    async def _take(self, key: bytes) -> int:
        with redis_errors():
            found = await asyncio.gather(
                *(self._redis.execute_command("GETDEL", key % group) for group in range(SLOT_GROUPS))
            )
        return sum(int(number) for number in found if number is not None)

    async def _heads(self, group: int) -> set[bytes]:
        with redis_errors():
            return set(await self._redis.execute_command("HKEYS", b"starheads:{%d}" % group)) - {_NEWEST}

    async def _complete_in(self, group: int, stars: Collection[bytes]) -> set[bytes]:
        heads = sorted((await self._heads(group)).intersection(stars))
        parts = [heads[first : first + _KEYS_PER_CALL] for first in range(0, len(heads), _KEYS_PER_CALL)]
        return set().union(*[await self._with_log(group, part) for part in parts])

    async def _with_log(self, group: int, stars: Sequence[bytes]) -> Sequence[bytes]:
        keys = [log_key(group, star) for star in stars]
        with redis_errors():
            # Usually all are there, and one command shows it.
            if await self._redis.execute_command("EXISTS", *keys) == len(keys):
                return stars
            found = await asyncio.gather(*(self._redis.execute_command("EXISTS", key) for key in keys))
        return [star for star, exists in zip(stars, found, strict=True) if exists]
