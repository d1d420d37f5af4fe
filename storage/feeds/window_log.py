"""Window logs: one Redis string per user with the newest ids and the offset at which each was published.

Feeds and notifications are stored this way; `log_format` describes the bytes. The reasons for this form, instead of a
sorted set or a string that only grows:

- Entries are ordered by **id**, the order of pages and of the API's cursor, so a page continues from PostgreSQL below
  the lowest id without gap or repeat. The offset, by which live clients recover, is a field of the entry. Almost every
  new id is greater than all others; any other id is inserted in its place.
- Redis never **grows** the string: APPEND, and SETRANGE past the end, double its allocation, so that a trimmed log of
  8 KB would occupy 16 KB. New entries go into eight staging slots, and from there into a ring that is allocated ahead
  (8, 16, … 500 slots). A full ring overwrites its oldest entries. Nothing is rewritten, and 176 + 500 × 16 bytes fit
  the allocator's class of 8 KiB.
- One script call inserts for many users with **one offset** (the microsecond of Redis' clock, or one more than the
  greatest offset given in the slot group so far), so that one encoded frame serves all of them, and publishes in the
  same step.
- The log is a **contiguous newest window**. An id below its lowest entry is not inserted, unless the log is complete,
  which means that nothing older exists. An incomplete log that loses its last entry is deleted, since no lowest id
  would show where PostgreSQL continues.
- A **removal** leaves a marked entry with a new offset, so that clients that are offline learn of it, and a late
  insertion of the same id changes nothing, unless it restores the id. A removal or insertion below the window leaves no
  entry; it raises the floor instead, and a client that was offline reads the feed again rather than miss the change.
- The offset of every message that a log's owner receives is the log's `top` at that moment. A client can therefore
  always recover from the last offset it saw.
- Photos of **stars**, authors with very many followers, are not inserted. They are pulled into a log when it is read,
  under the offsets at which they were announced; see `star_logs`.
- An insertion never creates a log. `begin` creates it and `fill` completes it from the database. Messages published in
  between are inserted into the unfinished log, so a rebuild leaves no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from storage.feeds.log_format import AT_BODY, STAGED, LogView
from storage.feeds.stream_log import StreamDelta
from storage.ids import pack_ids, slot_group, unpack_ids
from storage.redis.client import Redis, redis_errors
from storage.redis.scripts import Argument, Script

TIME_TO_LIVE = 14 * 24 * 3600  # seconds; a log that is not read for so long expires
STAR_WINDOW = 128  # announcements of a star; a feed that was not read for more of them is built again
BUILD_DEADLINE = 10  # seconds after which an unfinished log is built by another caller
USERS_PER_CALL = 1000  # a script call blocks the server for about 4 ms


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryScript:
    """The part of the insertion script that publishes to online users; provided by the live layer, opaque here.

    `source` is Lua text that defines `deliver(key, destination, users, offset, body)`, which returns the number of
    users online and of messages published. `key` and `destination` give its first two arguments for a slot group; the
    key must lie in the group's slot.

    It also defines `broadcast(channel, star, offset, body)`, which publishes to all live processes; they deliver the
    body to the star's followers in a slot group. `channel` gives its first argument for the group. The body that
    `following` returns makes its recipients followers of a star, or former ones.
    """

    source: str
    key: Callable[[int], bytes]
    destination: Callable[[int], bytes]
    channel: Callable[[int], bytes]
    following: Callable[[int, bool], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inserted:
    """Result of an insertion: logs changed, users online, and messages published (one per process and slot group).

    `recently_edited` are the users that were skipped, because their logs are being built or were edited a moment ago.
    """

    feeds: int
    online: int
    messages: int
    recently_edited: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Building:
    """A log that is being built: `mine` is whether the caller is to fill it; `edits` is passed on to `fill`."""

    epoch: int
    mine: bool
    edits: int


class Filled(IntEnum):
    """Result of `fill`."""

    LOST = 0  # the log is gone, or another build has replaced it
    DONE = 1
    CHANGED = 2  # an author was merged or dropped meanwhile: read the database again


class WindowLog:
    """The window logs of all users under one key prefix; raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis, prefix: str, delivery: DeliveryScript, *, window: int = 500) -> None:
        self._redis = redis
        self._prefix = prefix.encode()
        self._delivery = delivery
        self._insert = Script("feeds/log", "feeds/group", "feeds/place", "feeds/insert", prelude=delivery.source)
        self._edit = Script("feeds/log", "feeds/group", "feeds/place", "feeds/stars", "feeds/edit")
        self._read_log = Script("feeds/log", "feeds/group", "feeds/place", "feeds/stars", "feeds/read")
        self.window = window
        self.capacity = window + STAGED

    def key(self, user_id: int) -> bytes:
        """Return the key of a user's log; the hash tag keeps a slot group's logs in one cluster slot."""
        return b"%b:{%d}:%d" % (self._prefix, slot_group(user_id), user_id)

    async def insert(
        self, entry_id: int, user_ids: Iterable[int], message: bytes, *, min_age: int = 0, restore: bool = False
    ) -> Inserted:
        """Insert an id into the logs of many users and publish `message` to those online.

        A log that holds the id already does not change, and its owner gets no message. With `min_age`, logs that are
        being built, or were built or edited in the last `min_age` seconds, are left alone; their owners are returned
        in `recently_edited`. With `restore`, an id that is marked as removed is inserted again.
        """
        return await self._publish("restore" if restore else "insert", entry_id, user_ids, message, min_age)

    async def remove(self, entry_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Mark an id as removed in the logs of many users and publish `message` to those online.

        A log that has the mark already does not change, and its owner gets no message.
        """
        return await self._publish("remove", entry_id, user_ids, message)

    async def republish(self, entry_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Insert an id or give it a new offset, and publish `message` to the owners online in either case."""
        return await self._publish("republish", entry_id, user_ids, message)

    async def open(self, user_id: int) -> tuple[int, int]:
        """Return (epoch, top) of a log; create it complete and empty if there is none."""
        epoch, top = await self._change(user_id, "open", TIME_TO_LIVE)
        return epoch, top

    async def begin(self, user_id: int) -> Building:
        """Begin to build a log if there is none or its builder is overdue; of concurrent callers one is to fill it."""
        epoch, mine, edits = await self._change(user_id, "begin", TIME_TO_LIVE, BUILD_DEADLINE)
        return Building(epoch=epoch, mine=bool(mine), edits=edits)

    async def fill(
        self, user_id: int, building: Building, ids: Sequence[int], *, complete: bool, stars: Sequence[int] = ()
    ) -> tuple[Filled, Building]:
        """Finish a build with the newest ids from the database, in any order; `complete` if there are no older ones.

        `stars` are those that the owner follows; what they announce from the beginning of the build on is pulled.
        On `Filled.CHANGED` the build continues: read the database again and call `fill` with the returned `Building`.
        """
        # Without ids there would be no lowest entry, and no place at which the database continues.
        if not complete and not ids:
            raise ValueError("an incomplete list has at least one id")
        arguments = (building.epoch, building.edits, int(complete), pack_ids(sorted(ids)), pack_ids(stars))
        result, *edits = await self._change(user_id, "fill", *arguments, STAR_WINDOW, TIME_TO_LIVE)
        return Filled(result), Building(epoch=building.epoch, mine=True, edits=edits[0] if edits else 0)

    async def merge(self, user_id: int, ids: Sequence[int], *, restore: bool = False) -> None:
        """Insert an author's newest ids, up to `capacity` of them, down to the end of the window; publish nothing.

        With `restore`, also those that are marked as removed.
        """
        await self._change(user_id, "merge", pack_ids(sorted(ids)), int(restore))

    async def drop(self, user_id: int, ids: Sequence[int]) -> None:
        """Delete ids from a log, and an incomplete log if none is left; publish nothing."""
        await self._change(user_id, "drop", pack_ids(sorted(ids)))

    async def discard(self, user_id: int) -> None:
        """Delete a user's log; the next reader builds another one with another epoch."""
        with redis_errors():
            await self._redis.execute_command("DEL", self.key(user_id))

    async def read(self, user_id: int) -> LogView | None:
        """Return a user's log after a pull, or None if there is none; reset its time to live."""
        return await self._read(user_id, -1)

    async def head(self, user_id: int) -> LogView | None:
        """Return a user's log without its entries, or None if there is none; reset its time to live."""
        return await self._read(user_id, AT_BODY - 1)

    async def since(self, user_id: int, epoch: str, offset: int) -> StreamDelta | None:
        """Return what was published to a user after a position, as `StreamLog.since` defines it."""
        return StreamDelta.since(await self.read(user_id), epoch, offset)

    async def _read(self, user_id: int, end: int) -> LogView | None:
        with redis_errors():
            data = await self._read_log.run(self._redis, [self.key(user_id)], (self.window, TIME_TO_LIVE, end))
        return LogView.parse(data) if data else None

    async def _change(self, user_id: int, action: str, *arguments: Argument) -> list[int]:
        reply: list[int] = await self._edit.run(self._redis, [self.key(user_id)], (action, self.window, *arguments))
        return reply

    async def _publish(
        self, mode: str, entry_id: int, user_ids: Iterable[int], message: bytes, min_age: int = 0
    ) -> Inserted:
        # Keys of a script must share a cluster slot, so there is one call per slot group.
        calls = []
        identifier = pack_ids([entry_id])
        for group, users in by_group(user_ids, USERS_PER_CALL):
            keys = [self._delivery.key(group), *map(self.key, users)]
            destination = self._delivery.destination(group)
            calls.append((keys, (mode, identifier, self.window, destination, message, pack_ids(users), min_age)))
        replies = await self._insert.run_many(self._redis, calls) if calls else []
        return Inserted(
            feeds=sum(reply[0] for reply in replies),
            online=sum(reply[1] for reply in replies),
            messages=sum(reply[2] for reply in replies),
            recently_edited=unpack_ids(b"".join(reply[3] for reply in replies)),
        )


def by_group(user_ids: Iterable[int], limit: int) -> list[tuple[int, list[int]]]:
    """Return (slot group, up to `limit` users of it) for each script call."""
    groups: dict[int, list[int]] = {}
    for user_id in user_ids:
        groups.setdefault(slot_group(user_id), []).append(user_id)
    return [
        (group, users[first : first + limit])
        for group, users in groups.items()
        for first in range(0, len(users), limit)
    ]
