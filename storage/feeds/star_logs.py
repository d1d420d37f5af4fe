"""Photos of stars, which followers' feeds pull: the logs of announcements, and who follows which star.

A **star** is an author with so many followers that inserting a photo into each of their feeds would take long. A star's
photo is announced instead: inserted into one log for each slot group and published once, whatever the number of
followers. A feed is brought up to date when it is next read (`lua/stars.lua`): what its owner's stars have announced
since is inserted, under the offsets of the announcements. From then on it is like every other entry, so pages, cursors,
positions and recovery know nothing of stars.

Keys of each slot group, used by the scripts only (`lua/group.lua`):

- `star:{group}:<star>`: the window log of a star's announcements. It is copied to each group because a feed is read by
  one script in one slot, and because one clock, that of the group's server, then orders all offsets of a feed.
- `starheads:{group}`: hash of the offset of each star's newest announcement, and of the newest of all.
- `stars:{group}:<user>`: the offset up to which a feed has everything, and the ids of the stars that its owner follows.
  The flag "stars" in the feed's header says that this list exists; without it the feed is built again.
- `starpulls:{group}`, `starpulled:{group}`: how often feeds have pulled photos, and how many, since the janitor took
  both (`star_report`).
- `clock:{group}`: the offset that was given last, to an announcement or an insertion. It keeps an announcement above
  every position that clients have, even if the server's clock steps back.

Losses are detected. A feed whose list, or whose star's log or head, is missing is deleted and built again from
PostgreSQL; so is one that was not read for so long that the star's log has forgotten announcements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from storage.feeds.window_log import STAR_WINDOW, TIME_TO_LIVE, DeliveryScript, by_group
from storage.ids import SLOT_GROUPS, pack_ids, slot_group, unpack_ids
from storage.redis.client import Redis, redis_errors
from storage.redis.scripts import Argument, Script

FOLLOWERS_PER_CALL = 250  # a script call blocks the server for some milliseconds
_PULLED = 8  # bytes before the ids of a list
_FRAGMENTS = ("feeds/log", "feeds/group", "feeds/place", "feeds/stars")


class StarLogs:
    """The logs of all stars' announcements; raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis, delivery: DeliveryScript, *, window: int = STAR_WINDOW) -> None:
        self._redis = redis
        self._delivery = delivery
        self._script = Script(*_FRAGMENTS, "feeds/announce", prelude=delivery.source)
        self._window = window

    async def open(self, star_id: int) -> None:
        """Create the logs of a new star, before any list has it; existing ones do not change."""
        await self._run(star_id, lambda _: ("open", self._window))

    async def announce(self, star_id: int, photo_id: int, message: bytes, *, restore: bool = False) -> bool:
        """Announce a photo, and publish `message` to the connected followers; idempotent.

        With `restore`, a photo whose removal was announced is announced again.

        Return False if a log has no place for it, since it has a whole window of newer ones. It is to be inserted into
        the followers' feeds then.
        """
        return await self._publish("restore" if restore else "insert", star_id, photo_id, message)

    async def remove(self, star_id: int, photo_id: int, message: bytes) -> bool:
        """Announce that a photo was removed, as `announce` does."""
        return await self._publish("remove", star_id, photo_id, message)

    async def close(self, star_id: int) -> None:
        """Delete the logs of a former star, which no feed pulls any more."""
        await self._run(star_id, lambda _: ("close", self._window))

    async def _publish(self, action: str, star_id: int, photo_id: int, message: bytes) -> bool:
        packed, channel = pack_ids([photo_id]), self._delivery.channel
        results = await self._run(star_id, lambda group: (action, self._window, packed, channel(group), message))
        return all(results)

    async def _run(self, star_id: int, arguments: Callable[[int], Sequence[Argument]]) -> list[int]:
        packed = pack_ids([star_id])
        calls = [([log_key(group, packed)], arguments(group)) for group in range(SLOT_GROUPS)]
        replies: list[int] = await self._script.run_many(self._redis, calls)
        return replies


class FollowedStars:
    """The lists of the stars that the owners of feeds follow; raises `UnavailableError` if Redis does not answer.

    Each change is published to the live processes in the same step: they deliver a star's announcements.
    """

    def __init__(
        self, redis: Redis, delivery: DeliveryScript, feed_key: Callable[[int], bytes], *, window: int
    ) -> None:
        self._redis = redis
        self._delivery = delivery
        self._feed_key = feed_key
        self._window = window
        self._script = Script(*_FRAGMENTS, "feeds/follow_star", prelude=delivery.source)

    async def add(self, star_id: int, user_ids: Iterable[int]) -> None:
        """Have the feeds of these users pull what the star announces from now on."""
        await self._change("add", star_id, user_ids)

    async def remove(self, star_id: int, user_ids: Iterable[int]) -> None:
        """Pull for the last time, and have the feeds of these users pull nothing of the star from now on."""
        await self._change("remove", star_id, user_ids)

    async def of(self, user_id: int) -> Sequence[int] | None:
        """Return the stars that a user follows, or None if there is no list."""
        with redis_errors():
            data = await self._redis.execute_command("GET", _list_key(user_id))
        return unpack_ids(data[_PULLED:]) if data else None

    async def discard(self, user_id: int) -> None:
        """Delete a user's list; a feed that needs one is built again."""
        with redis_errors():
            await self._redis.execute_command("DEL", _list_key(user_id))

    async def _change(self, action: str, star_id: int, user_ids: Iterable[int]) -> None:
        body = self._delivery.following(star_id, action == "add")
        calls = []
        for group, users in by_group(user_ids, FOLLOWERS_PER_CALL):
            keys = [self._delivery.key(group), *map(self._feed_key, users)]
            settings = (action, pack_ids([star_id]), self._window, TIME_TO_LIVE)
            calls.append((keys, (*settings, self._delivery.destination(group), body, pack_ids(users))))
        if calls:
            await self._script.run_many(self._redis, calls)


def log_key(group: int, star: bytes) -> bytes:
    """Return the key of a star's log in a slot group; `star` is its packed id."""
    return b"star:{%d}:%b" % (group, star)


def _list_key(user_id: int) -> bytes:
    return b"stars:{%d}:%d" % (slot_group(user_id), user_id)
