"""The ranking of photos in Redis: a sorted set by score, and the lists that are read page by page.

All keys have the hash tag `{photos}`, so that scripts may use them on a cluster. `trend:{photos}` is the ranking; a
member is the ids of photo and author. `trend:{photos}:list:<minute>` is a list of it as it was in that minute, with at
most one photo of an author among 20 in a row. A cursor names the minute, so a list does not change while it is read.
`trend:{photos}:complete` says that the ranking was built from PostgreSQL; it is lost together with the ranking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from storage.ids import pack_ids, unpack_ids
from storage.redis.client import Redis, redis_errors
from storage.redis.scripts import Script
from storage.trends import PhotoTrend, photo_score

KEPT = 5_000
LIST_LENGTH = 1_000
LIST_SECONDS = 60  # for which readers that begin share a list
LIST_TTL = 1800  # seconds in which a reader may go on
AUTHOR_DISTANCE = 20  # places from one photo of an author to the next
TOP = 100  # of these, caches fetch the images

_RANKING = b"trend:{photos}"
_VERSIONS = b"trend:{photos}:versions"
_TOP = b"trend:{photos}:top"
_COMPLETE = b"trend:{photos}:complete"
_AT_ONCE = 200  # photos per script call
_OFFSET_BITS = 16


class Ranked(NamedTuple):
    """A photo in a list, with its author; `position` is the position of the next one, for cursors."""

    photo_id: int
    author_id: int
    position: int


class PhotoTrends:
    """The ranking; raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis, *, kept: int = KEPT, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._kept = kept
        self._clock = clock
        self._put = Script("cache/trend_put")
        self._page = Script("cache/trend_page")

    async def put(self, trends: Sequence[PhotoTrend]) -> list[int]:
        """Store scores, in any order and any number of times; return photos that are now among the top, once a day.

        A state that is older than the stored one is ignored.
        """
        entered: list[int] = []
        for first in range(0, len(trends), _AT_ONCE):
            states: list[bytes | str | int] = []
            for trend in trends[first : first + _AT_ONCE]:
                score = photo_score(trend)
                states += (
                    pack_ids([trend.photo_id, trend.author_id]),
                    trend.version,
                    "" if score is None else repr(score),
                )
            members = await self._put.run(self._redis, [_RANKING, _VERSIONS, _TOP], (self._kept, TOP, *states))
            entered += [unpack_ids(member)[0] for member in members]
        return entered

    async def page(self, position: int | None, *, count: int) -> list[Ranked]:
        """Return photos of a list from a position on; None is the beginning of the present list.

        A list that is not kept any more is replaced by the present one.
        """
        minute, offset = _place(position) if position is not None else (int(self._clock() // LIST_SECONDS), 0)
        keys = [_RANKING, b"trend:{photos}:list:%d" % minute]
        packed = await self._page.run(self._redis, keys, (offset, count, LIST_TTL, LIST_LENGTH, AUTHOR_DISTANCE))
        found = unpack_ids(packed)
        return [
            Ranked(photo_id, author_id, _position(minute, offset + number))
            for number, (photo_id, author_id) in enumerate(zip(found[::2], found[1::2], strict=True), 1)
        ]

    async def ranking(self) -> list[tuple[int, float]]:
        """Return all photos with their scores, highest first."""
        with redis_errors():
            found = await self._redis.execute_command("ZREVRANGE", _RANKING, 0, -1, "WITHSCORES")
        return [(unpack_ids(found[at])[0], float(found[at + 1])) for at in range(0, len(found), 2)]

    async def lowest(self) -> float | None:
        """Return the lowest score of a full ranking; None while it is not full, and any score enters it."""
        with redis_errors():
            found = await self._redis.execute_command("ZREVRANGE", _RANKING, self._kept - 1, -1, "WITHSCORES")
        return float(found[-1]) if found else None

    async def is_complete(self) -> bool:
        """Return whether the ranking was built and not lost since."""
        with redis_errors():
            return bool(await self._redis.execute_command("EXISTS", _COMPLETE))

    async def set_complete(self) -> None:
        """Record that the ranking was built."""
        with redis_errors():
            await self._redis.execute_command("SET", _COMPLETE, 1)


def _position(minute: int, offset: int) -> int:
    return minute << _OFFSET_BITS | offset


def _place(position: int) -> tuple[int, int]:
    return position >> _OFFSET_BITS, position & (1 << _OFFSET_BITS) - 1
