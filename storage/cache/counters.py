"""Counters of photos and likes of users in Redis, so that a feed page is read in one round trip.

Every state carries the photo's version, which grows with each change, and is written only if no newer one is stored.
States may therefore arrive in any order and more than once.

`count:<photo>` is "version likes comments ", followed by the JSON that completes a card.
`liked:{group}:<user>` is a hash from photo to the signed version of the user's last action (+ like, - unlike). Its
field `*` records that the hash was loaded: "all", or "newest" for users with more likes than are kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

from storage.cache.photo_trends import PhotoTrends
from storage.errors import UnavailableError
from storage.ids import milliseconds_of, pack_ids, slot_group
from storage.models import Photo, PhotoCounters
from storage.postgres.database import Queryable
from storage.postgres.fallback import DatabaseFallback
from storage.redis.client import Redis, redis_errors, values_of
from storage.redis.scripts import Call, Script
from storage.render.photo import counters_suffix
from storage.stores.photos import likes, photos

TTL = 24 * 3600  # seconds
MAX_LIKES = 10_000  # of one user
LIKES_DAYS = 90  # `likes.of_user` returns so many days; likes of older photos may be older
MARKER = b"*"
_ALL, _NEWEST = b"all", b"newest"
_PER_CALL = 1000  # likes per script call

Engaged = tuple[int, int, bool]


class CounterCache:
    """The counters and likes in Redis; raises `UnavailableError` if an engine does not answer."""

    def __init__(self, db: Queryable, redis: Redis, fallback: DatabaseFallback | None = None) -> None:
        self._fallback = fallback or DatabaseFallback(db)
        self._db = db
        self._redis = redis
        self._counts = Script("cache/counts")
        self._liked = Script("cache/liked")
        self._trends = PhotoTrends(redis)
        self._loading: dict[int, asyncio.Task[None]] = {}

    async def apply(self, state: PhotoCounters, user_id: int | None) -> bool:
        """Store a photo's counters, and the like of `user_id` unless that is None; ignore states that are older.

        The score of the photo is stored, too, if the state has what it depends on. Return whether the photo is now
        among those that trend most and was not before.
        """
        await self._store_counts([(state.photo_id, state.version, state.likes, state.comments)])
        if user_id is not None:
            act = b"%b%d" % (b"+" if state.liked else b"-", state.version)
            await self._liked.run(self._redis, [liked_key(user_id)], (TTL, b"", pack_ids([state.photo_id]), act))
        return state.trend is not None and bool(await self._trends.put([state.trend]))

    async def read(self, photo_ids: Sequence[int], viewer_id: int | None) -> dict[int, Engaged]:
        """Return (likes, comments, liked) of photos; zeros for those that do not exist, and no likes of a visitor.

        While Redis is away they are those of PostgreSQL.
        """
        if not photo_ids:
            return {}
        try:
            return await self._read(photo_ids, viewer_id)
        except UnavailableError as error:
            if error.engine != "redis":
                raise
        return await self._fallback.read_page(viewer_id, partial(_of_database, photo_ids, viewer_id))

    async def _read(self, photo_ids: Sequence[int], viewer_id: int | None) -> dict[int, Engaged]:
        counts, liked = await asyncio.gather(self._counts_of(photo_ids), self._liked_among(photo_ids, viewer_id))
        return {photo_id: (*_numbers(counts[photo_id]), photo_id in liked) for photo_id in photo_ids}

    async def _counts_of(self, photo_ids: Sequence[int]) -> dict[int, bytes]:
        with redis_errors():
            counts = await values_of(self._redis, [_count_key(photo_id) for photo_id in photo_ids])
        known = {photo_id: value for photo_id, value in zip(photo_ids, counts, strict=True) if value is not None}
        if missing := [photo_id for photo_id in photo_ids if photo_id not in known]:
            known |= await self.load_counts(missing)
        return known

    async def _liked_among(self, photo_ids: Sequence[int], viewer_id: int | None) -> set[int]:
        if viewer_id is None:
            return set()
        with redis_errors():
            fields = pack_ids_each(photo_ids)
            marker, *acts = await self._redis.execute_command("HMGET", liked_key(viewer_id), MARKER, *fields)
        return await self.likes_of(viewer_id, dict(zip(photo_ids, acts, strict=True)), marker)

    async def counts(self, photo_id: int) -> tuple[int, int]:
        """Return the numbers of likes and comments of a photo; zeros if it does not exist."""
        with redis_errors():
            (value,) = await values_of(self._redis, [_count_key(photo_id)])
        return _numbers(value if value is not None else (await self.load_counts([photo_id]))[photo_id])

    async def load_counts(self, photo_ids: Sequence[int]) -> dict[int, bytes]:
        """Load counters from PostgreSQL, store them, and return them in their Redis form."""
        found = await photos.load(self._db, photo_ids)
        rows = [(photo.id, photo.version, photo.likes, photo.comments) for photo in found.values()]
        await self._store_counts(rows)
        loaded = dict.fromkeys(photo_ids, _counters(0, 0, 0))
        return loaded | {row[0]: _counters(*row[1:]) for row in rows}

    async def forget_wrong(self, states: Sequence[PhotoCounters], *, grace: float) -> int:
        """Delete counters in Redis that contradict states of the primary, and return how many; readers load them again.

        Differences that end within `grace` seconds are changes under way. A stored state that is newer than the
        primary's belongs to a database that has lost commits, and would hide the true one until it expires.
        """
        suspects = await self._differing({state.photo_id: state for state in states})
        if not suspects:
            return 0
        await asyncio.sleep(grace)
        stored = await self._stored(list(suspects))
        # The primary is read after Redis, so nothing in Redis may be newer.
        newest = await photos.load(self._db, list(suspects))
        wrong = [
            photo_id
            for photo_id, (version, *numbers) in stored.items()
            if photo_id in newest
            and (
                not suspects[photo_id].version <= version <= newest[photo_id].version
                or (version == newest[photo_id].version and numbers != _likes_and_comments(newest[photo_id]))
            )
        ]
        with redis_errors():
            await asyncio.gather(*(self._redis.execute_command("DEL", _count_key(photo_id)) for photo_id in wrong))
        return len(wrong)

    async def _differing(self, states: Mapping[int, PhotoCounters]) -> dict[int, PhotoCounters]:
        """Return the states of which Redis has another."""
        stored = await self._stored(list(states))
        return {
            photo_id: states[photo_id]
            for photo_id, found in stored.items()
            if found != (states[photo_id].version, *_likes_and_comments(states[photo_id]))
        }

    async def _stored(self, photo_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
        """Return (version, likes, comments) of the photos whose counters are stored."""
        with redis_errors():
            values = await values_of(self._redis, [_count_key(photo_id) for photo_id in photo_ids])
        return {
            photo_id: (int((words := value.split(b" ", 3))[0]), int(words[1]), int(words[2]))
            for photo_id, value in zip(photo_ids, values, strict=True)
            if value is not None
        }

    async def likes_of(self, viewer_id: int, acts: Mapping[int, bytes | None], marker: bytes | None) -> set[int]:
        """Return which of the photos the viewer likes.

        `acts` and `marker` are the fields of the viewer's hash. Without a marker the hash is loaded first. Photos that
        it does not cover are looked up in PostgreSQL.
        """
        if marker is None:
            await self._load_likes(viewer_id)
            with redis_errors():
                fields = pack_ids_each(list(acts))
                marker, *values = await self._redis.execute_command("HMGET", liked_key(viewer_id), MARKER, *fields)
            acts = dict(zip(acts, values, strict=True))
        liked = {photo_id for photo_id, act in acts.items() if act is not None and not act.startswith(b"-")}
        if uncovered := [photo_id for photo_id, act in acts.items() if act is None and not covers(marker, photo_id)]:
            liked |= await likes.among(self._db, uncovered, user_id=viewer_id)
        return liked

    async def _load_likes(self, viewer_id: int) -> None:
        """Load a viewer's likes, once for concurrent callers of this process."""
        task = self._loading.get(viewer_id)
        if task is None:
            task = self._loading[viewer_id] = asyncio.create_task(self._load(viewer_id))
            task.add_done_callback(lambda _: self._loading.pop(viewer_id, None))
        await asyncio.shield(task)

    async def _load(self, viewer_id: int) -> None:
        rows = await likes.of_user(self._db, viewer_id, limit=MAX_LIKES)
        key = [liked_key(viewer_id)]
        calls: list[Call] = []
        for first in range(0, len(rows), _PER_CALL):
            part = rows[first : first + _PER_CALL]
            pairs = [item for photo_id, version in part for item in (pack_ids([photo_id]), b"+%d" % version)]
            calls.append((key, (TTL, b"", *pairs)))
        # The marker comes last: a hash without it counts as not loaded, so a partial load is never trusted.
        marker = _NEWEST if len(rows) >= MAX_LIKES else _ALL
        await self._liked.run_many(self._redis, [*calls, (key, (TTL, marker))])

    async def _store_counts(self, rows: Sequence[tuple[int, int, int, int]]) -> None:
        calls: list[Call] = []
        for photo_id, version, number, comments in rows:
            value = _counters(version, number, comments)
            calls.append(([_count_key(photo_id)], (version, value, TTL)))
        if calls:
            await self._counts.run_many(self._redis, calls)


def liked_key(user_id: int) -> bytes:
    """Return the Redis key of a user's likes."""
    return b"liked:{%d}:%d" % (slot_group(user_id), user_id)


def covers(marker: bytes | None, photo_id: int) -> bool:
    """Return whether a loaded hash would contain a like of this photo, given that no like is older than its photo."""
    return (
        marker == _ALL and milliseconds_of(photo_id) > (time.time() - LIKES_DAYS * 86400 + 3600) * 1000
    )  # an hour for clock skew


def pack_ids_each(ids: Sequence[int]) -> list[bytes]:
    """Return each id as 8 bytes, its form in keys and fields."""
    packed = pack_ids(ids)
    return [packed[at : at + 8] for at in range(0, len(packed), 8)]


async def _of_database(photo_ids: Sequence[int], viewer_id: int | None, db: Queryable) -> dict[int, Engaged]:
    found = await photos.load(db, photo_ids)
    liked = set() if viewer_id is None else await likes.among(db, photo_ids, user_id=viewer_id)
    numbers = {photo.id: (photo.likes, photo.comments) for photo in found.values()}
    return {photo_id: (*numbers.get(photo_id, (0, 0)), photo_id in liked) for photo_id in photo_ids}


def _count_key(photo_id: int) -> bytes:
    return b"count:" + pack_ids([photo_id])


def _likes_and_comments(of: PhotoCounters | Photo) -> list[int]:
    return [of.likes, of.comments]


def _counters(version: int, likes: int, comments: int) -> bytes:
    return b"%d %d %d %b" % (version, likes, comments, counters_suffix(likes, comments))


def _numbers(counters: bytes) -> tuple[int, int]:
    _, count, comments, _ = counters.split(b" ")
    return int(count), int(comments)
