"""Window logs: for each person one Redis string that holds the newest ids and when each was announced.

Feeds and notifications are kept this way (`log_format` has the bytes). Why not a sorted set, and why not a
string that only grows:

- Entries stand in the order of their **ids**, which is the order of pages and of the API's cursor, so that a
  page continues from PostgreSQL below the lowest id with neither gap nor repeat. The offset, by which live
  clients recover, is a field of the entry. An insertion is nearly always above all others; the rest is put
  in its place.
- A string is **never let grow** by Redis: APPEND and SETRANGE past the end double its allocation, so that a
  trimmed log of 8 KB would cost 16 KB. New entries go into eight staging slots, from there into a ring that is
  allocated ahead (8, 16, … 500 slots); a full ring takes the place of its oldest. Nothing is rewritten, and
  176 + 500 × 16 bytes fit the allocator's class of 8 KiB.
- One script call inserts for many people with **one offset** (Redis' microsecond, or one above the greatest
  offset among them), so that one encoded frame serves all, and publishes in the same step.
- The log is a **contiguous newest window**: an id older than its lowest entry is not put in, unless the log
  is complete, that is, nothing older exists at all.
- A **removal** stays as a marked entry with a new offset, so that whoever was away learns of it, and so that a
  late insertion of the same id changes nothing. Removing (or inserting) an id below the window leaves no entry
  behind; there the floor is raised, and a client that was away reads again instead of missing it.
- Every announcement that a log's owner gets has an offset that is now the log's `top`, so a client can always
  recover from the last offset it saw.
- An insertion never brings a log into being: `begin` does, `fill` completes it from the database, and what is
  announced in between lands in it, so a rebuild leaves no hole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from storage.feeds.log_format import AT_BODY, STAGED, LogView
from storage.feeds.stream_log import StreamDelta
from storage.ids import pack_ids, slot_group, unpack_ids
from storage.redis.client import Redis, redis_errors
from storage.redis.scripts import Argument, Script

TIME_TO_LIVE = 14 * 24 * 3600  # seconds; people not seen for so long have no log
BUILD_DEADLINE = 10_000_000  # µs after which a building that nobody finished is begun anew
PEOPLE_PER_CALL = 1000  # a script blocks the server: some 4 ms


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryScript:
    """The part of the insertion script that publishes to online users; provided by the live layer, opaque here.

    `source` is Lua text that defines `deliver(key, destination, users, offset, body)`, which returns the number of
    users online and of messages published. `key` and `destination` give its first two arguments for a slot group; the
    key must lie in the group's slot.
    """

    source: str
    key: Callable[[int], bytes]
    destination: Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inserted:
    """Result of an insertion: logs changed, users online, and messages published (one per process and slot group).

    `recently_edited` are users for whom nothing was done, because their logs were begun or edited a moment ago.
    """

    feeds: int
    online: int
    messages: int
    recently_edited: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Building:
    """A log being filled: `mine` is whether the caller is to fill it; `edits` is what `fill` must name."""

    epoch: int
    mine: bool
    edits: int


class Filled(IntEnum):
    """What became of a `fill`."""

    LOST = 0  # the log is gone, or another one is being built
    DONE = 1
    CHANGED = 2  # somebody followed or unfollowed meanwhile: read the database again


class WindowLog:
    """The logs under one prefix; raises `UnavailableError` when Redis does not answer."""

    def __init__(self, redis: Redis, prefix: str, delivery: DeliveryScript, *, window: int = 500) -> None:
        self._redis = redis
        self._prefix = prefix.encode()
        self._delivery = delivery
        self._insert = Script("feeds/log", "feeds/insert", prelude=delivery.source)
        self._edit = Script("feeds/log", "feeds/edit")
        self.window = window
        self.capacity = window + STAGED

    def key(self, user_id: int) -> bytes:
        """Return the key of a person's log; the braces keep a slot group's logs in one cluster slot."""
        return b"%b:{%d}:%d" % (self._prefix, slot_group(user_id), user_id)

    async def insert(self, entry_id: int, user_ids: Iterable[int], message: bytes, *, min_age: int = 0) -> Inserted:
        """Insert an id into the logs of many users and publish `message` to those online.

        A log that holds the id already does not change, and its owner gets no message. Logs that were begun or edited
        in the last `min_age` seconds are left alone; their owners are returned in `recently_edited`.
        """
        return await self._publish("insert", entry_id, user_ids, message, min_age)

    async def remove(self, entry_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Mark an id as removed in the logs of many users and publish `message` to those online.

        A log that has the mark already does not change, and its owner gets no message.
        """
        return await self._publish("remove", entry_id, user_ids, message)

    async def republish(self, entry_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Insert an id or give it a new offset, and publish `message` to the owners online in either case."""
        return await self._publish("republish", entry_id, user_ids, message)

    async def open(self, user_id: int) -> tuple[int, int]:
        """Return (epoch, top) of a log, which comes into being complete and empty if need be."""
        epoch, top = await self._change(user_id, "open", TIME_TO_LIVE)
        return epoch, top

    async def begin(self, user_id: int) -> Building:
        """Begin to build a log if there is none or its builder is overdue; of concurrent callers one is to fill it."""
        epoch, mine, edits = await self._change(user_id, "begin", TIME_TO_LIVE, BUILD_DEADLINE)
        return Building(epoch=epoch, mine=bool(mine), edits=edits)

    async def fill(
        self, user_id: int, building: Building, ids: Sequence[int], *, complete: bool
    ) -> tuple[Filled, Building]:
        """Finish building with the newest ids from the database (any order); `complete` when it has no more.

        When the follows changed meanwhile the log goes on building: read again, and fill with the building returned.
        """
        if not complete and not ids:
            raise ValueError("a list without end has at least one id")
        arguments = (building.epoch, building.edits, int(complete), pack_ids(sorted(ids)))
        result, *edits = await self._change(user_id, "fill", *arguments)
        return Filled(result), Building(epoch=building.epoch, mine=True, edits=edits[0] if edits else 0)

    async def merge(self, user_id: int, ids: Sequence[int]) -> None:
        """Merge an author's newest ids, up to `capacity` of them, unannounced and as far down as the window reaches."""
        await self._change(user_id, "merge", pack_ids(sorted(ids)))

    async def drop(self, user_id: int, ids: Sequence[int]) -> None:
        """Take ids out, unannounced."""
        await self._change(user_id, "drop", pack_ids(sorted(ids)))

    async def discard(self, user_id: int) -> None:
        """Forget a person's log; the next reader builds another, with another epoch."""
        with redis_errors():
            await self._redis.execute_command("DEL", self.key(user_id))

    async def read(self, user_id: int) -> LogView | None:
        """Return a person's log, or None if there is none; its life begins anew."""
        return await self._read(user_id, -1)

    async def head(self, user_id: int) -> LogView | None:
        """Return a person's log without its entries, or None if there is none; its life begins anew."""
        return await self._read(user_id, AT_BODY - 1)

    async def since(self, user_id: int, epoch: str, offset: int) -> StreamDelta | None:
        """Return what was published to a user after a position, as `StreamLog.since` defines it."""
        return StreamDelta.since(await self.read(user_id), epoch, offset)

    async def _read(self, user_id: int, end: int) -> LogView | None:
        key = self.key(user_id)
        with redis_errors():
            data, _ = await asyncio.gather(
                self._redis.execute_command("GETRANGE", key, 0, end),
                self._redis.execute_command("EXPIRE", key, TIME_TO_LIVE),
            )
        return LogView.parse(data) if data else None

    async def _change(self, user_id: int, action: str, *arguments: Argument) -> list[int]:
        answer: list[int] = await self._edit.run(self._redis, [self.key(user_id)], (action, self.window, *arguments))
        return answer

    async def _publish(
        self, mode: str, entry_id: int, user_ids: Iterable[int], message: bytes, min_age: int = 0
    ) -> Inserted:
        calls = []
        identifier = pack_ids([entry_id])
        for group, users in _by_group(user_ids):
            keys = [self._delivery.key(group), *map(self.key, users)]
            destination = self._delivery.destination(group)
            calls.append((keys, (mode, identifier, self.window, destination, message, pack_ids(users), min_age)))
        answers = await self._insert.run_many(self._redis, calls) if calls else []
        return Inserted(
            feeds=sum(answer[0] for answer in answers),
            online=sum(answer[1] for answer in answers),
            messages=sum(answer[2] for answer in answers),
            recently_edited=unpack_ids(b"".join(answer[3] for answer in answers)),
        )


def _by_group(user_ids: Iterable[int]) -> list[tuple[int, list[int]]]:
    groups: dict[int, list[int]] = {}
    for user_id in user_ids:
        groups.setdefault(slot_group(user_id), []).append(user_id)
    return [
        (group, people[first : first + PEOPLE_PER_CALL])
        for group, people in groups.items()
        for first in range(0, len(people), PEOPLE_PER_CALL)
    ]
