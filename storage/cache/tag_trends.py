"""The ranking of tags in Redis: how many authors use a tag, against the same hours of the days before.

All keys begin with `trend:{tags}`, so that scripts may use them on a cluster. `…:<hour>:<tag>` counts the authors who
used a tag in photos of that hour (HyperLogLog: an author counts once, however often the use is recorded), `…:used:
<hour>` has the tags. `…:list` is the present list and `…:list:<minute>` the one of that minute, which a cursor names.
`…:complete` says that the counts were built from PostgreSQL; it is lost together with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import orjson

from storage import ids
from storage.redis.client import Redis, redis_errors, values_of
from storage.redis.scripts import Script
from storage.stores.discovery.tag_uses import TaggedPhoto
from storage.trends import MIN_AUTHORS, tag_score

DAYS = 7  # before the present one
HOURS = 6
LIST_LENGTH = 100
LIST_TTL = 1800  # seconds in which a reader may go on

_PREFIX = b"trend:{tags}"
_LIST = _PREFIX + b":list"
_COMPLETE = _PREFIX + b":complete"
_COUNT_TTL = (24 * DAYS + HOURS + 1) * 3600
_USED_TTL = (HOURS + 1) * 3600
_AT_ONCE = 100  # uses or tags per script call
_OFFSET_BITS = 16


class RankedTag(NamedTuple):
    """A tag in a list, with its authors in the last hours; `position` is the position of the next one, for cursors."""

    tag: str
    authors: int
    position: int


class TagTrends:
    """The ranking; raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._use = Script("cache/tag_use")
        self._authors = Script("cache/tag_authors")

    async def record(self, photos: Sequence[TaggedPhoto]) -> None:
        """Count the authors of the photos' tags, in the hours of the photos; a repetition changes nothing."""
        uses: list[bytes | int | str] = []
        for photo in photos:
            hour = ids.milliseconds_of(photo.photo_id) // 3_600_000
            for tag in photo.tags:
                uses += (hour, ids.pack_ids([photo.author_id]), tag)
        for first in range(0, len(uses), 3 * _AT_ONCE):
            part = uses[first : first + 3 * _AT_ONCE]
            await self._use.run(self._redis, [_PREFIX], (_COUNT_TTL, _USED_TTL, *part))

    def since(self) -> int:
        """Return the lowest id of photos whose tags still count."""
        oldest = self._hour() - 24 * DAYS - HOURS + 1
        return max(oldest * 3_600_000 - ids.EPOCH_MS, 0) << (ids.SEQUENCE_BITS + ids.SHARD_BITS)

    async def rank(self, *, excluded: Collection[str] = ()) -> int:
        """Make the list of the present minute, without the tags `excluded`; return its length."""
        ranked: list[tuple[float, str, int]] = []
        tags = sorted(tag for tag in await self._used() if tag not in excluded)
        for first in range(0, len(tags), _AT_ONCE):
            arguments: list[bytes | str | int] = [
                self._hour(),
                HOURS,
                DAYS,
                MIN_AUTHORS,
                *tags[first : first + _AT_ONCE],
            ]
            for tag, authors, *before in await self._authors.run(self._redis, [_PREFIX], arguments):
                if score := tag_score(authors, before):
                    ranked.append((-score, tag.decode(), authors))
        rows = [(tag, authors) for _, tag, authors in sorted(ranked)[:LIST_LENGTH]]
        minute = int(self._clock() // 60)
        content = orjson.dumps([minute, rows])
        with redis_errors():
            await self._redis.execute_command("SET", b"%b:%d" % (_LIST, minute), content, "EX", LIST_TTL)
            await self._redis.execute_command("SET", _LIST, content, "EX", LIST_TTL)
        return len(rows)

    async def page(self, position: int | None, *, count: int) -> list[RankedTag]:
        """Return tags of a list from a position on; None is the beginning of the present list.

        A list that is not kept any more is replaced by the present one.
        """
        minute, offset = (0, 0) if position is None else (position >> _OFFSET_BITS, position & (1 << _OFFSET_BITS) - 1)
        keys = [_LIST] if position is None else [b"%b:%d" % (_LIST, minute), _LIST]
        with redis_errors():
            content = next((value for value in await values_of(self._redis, keys) if value is not None), None)
        if content is None:
            return []
        found: tuple[int, list[Any]] = orjson.loads(content)
        minute, rows = found
        return [
            RankedTag(tag, authors, minute << _OFFSET_BITS | offset + number)
            for number, (tag, authors) in enumerate(rows[offset : offset + count], 1)
        ]

    async def is_complete(self) -> bool:
        """Return whether the counts were built and not lost since."""
        with redis_errors():
            return bool(await self._redis.execute_command("EXISTS", _COMPLETE))

    async def set_complete(self) -> None:
        """Record that the counts were built."""
        with redis_errors():
            await self._redis.execute_command("SET", _COMPLETE, 1)

    async def _used(self) -> set[str]:
        keys = [b"%b:used:%d" % (_PREFIX, hour) for hour in range(self._hour() - HOURS + 1, self._hour() + 1)]
        with redis_errors():
            return {tag.decode() for tag in await self._redis.execute_command("SUNION", *keys)}

    def _hour(self) -> int:
        return int(self._clock() // 3600)
