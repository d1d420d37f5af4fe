"""What every `StreamLog` guarantees, for the home feed and the notification log on real engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from server.composition.delivery import delivery_script
from storage.cache.cards import Cards
from storage.errors import UnavailableError
from storage.feeds.feeds import Feeds
from storage.feeds.log_format import AT_HEADER
from storage.feeds.notification_log import WINDOW as NOTIFICATIONS_WINDOW
from storage.feeds.notification_log import NotificationLog
from storage.feeds.stream_log import StreamLog
from storage.feeds.window_log import WindowLog
from storage.ids import IdGenerator, slot_group
from storage.postgres.database import Database
from storage.redis.client import Redis, open_redis
from tests.support.driver_commands import commands

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

FEED_WINDOW = 20
USER, OTHER = 64 * 1024 + 1, 64 * 1024 + 2


@dataclass(kw_only=True)
class StreamKit:
    """One implementation, with what the suite needs to write to it."""

    stream: StreamLog
    log: WindowLog
    redis: Redis
    window: int
    prefix: bytes

    def __post_init__(self) -> None:
        """Draw ids from the clock, as the service does."""
        self._ids = IdGenerator()

    def key(self, user_id: int) -> bytes:
        """Return the key of a user's log."""
        return b"%b:{%d}:%d" % (self.prefix, slot_group(user_id), user_id)

    async def publish(self, user_id: int = USER) -> int:
        """Publish a new entry and return its id."""
        entry_id = self._ids.new(1)
        assert (await self.log.insert(entry_id, [user_id], b"message")).feeds == 1
        return entry_id

    async def publish_again(self, entry_id: int, user_id: int = USER) -> None:
        """Publish an entry again under a new offset."""
        await self.log.republish(entry_id, [user_id], b"message")


def feed_kit(redis: Redis, database: Database) -> StreamKit:
    """Return the home feed."""
    feeds = Feeds(database, redis, Cards(database, redis), delivery_script(redis), window=FEED_WINDOW)
    return StreamKit(stream=feeds, log=feeds.log, redis=redis, window=FEED_WINDOW, prefix=b"feed")


def notification_kit(redis: Redis, _database: Database) -> StreamKit:
    """Return the notification log."""
    delivery = delivery_script(redis)
    return StreamKit(
        stream=NotificationLog(redis, delivery),
        log=WindowLog(redis, "notes", delivery, window=NOTIFICATIONS_WINDOW),
        redis=redis,
        window=NOTIFICATIONS_WINDOW,
        prefix=b"notes",
    )


MakeKit = Callable[[Redis, Database], StreamKit]
KITS = pytest.mark.parametrize("make_kit", [feed_kit, notification_kit], ids=["feed", "notifications"])


@pytest.fixture(params=[feed_kit, notification_kit], ids=["feed", "notifications"])
def kit(request: pytest.FixtureRequest, redis: Redis, database: Database) -> StreamKit:
    """Each implementation in turn."""
    make: MakeKit = request.param
    return make(redis, database)


async def test_position_creates_the_log(kit: StreamKit) -> None:
    """The position of a new stream can be recovered from at once and does not change without a publication."""
    position = await kit.stream.position(USER)
    assert await kit.stream.position(USER) == position
    delta = await kit.stream.since(USER, *position)
    assert delta is not None
    assert (list(delta.entries), delta.position) == ([], position)


async def test_everything_after_a_position_is_returned(kit: StreamKit) -> None:
    """A delta has every later publication of this user once, by growing offset, and ends at the stream's position."""
    await kit.stream.position(OTHER)
    first = await kit.stream.position(USER)
    before = await kit.publish()
    middle = await kit.stream.position(USER)
    await kit.publish(OTHER)
    after = [await kit.publish() for _ in range(5)]
    for position, ids in ((first, [before, *after]), (middle, after)):
        delta = await kit.stream.since(USER, *position)
        assert delta is not None
        offsets = [entry.offset for entry in delta.entries]
        assert [entry.id for entry in delta.entries] == ids
        assert offsets == sorted(set(offsets))
        assert position.offset < offsets[0]
        assert offsets[-1] == delta.position.offset < 1 << 53
        assert delta.position == await kit.stream.position(USER)


async def test_offsets_grow_when_the_clock_steps_back(kit: StreamKit) -> None:
    """A publication after the newest offset of the log has a greater one, whatever the server's clock reads."""
    epoch, _ = await kit.stream.position(USER)
    future = 1 << 52
    await commands(kit.redis).setrange(kit.key(USER), AT_HEADER + 8, future.to_bytes(8, "big"))
    entry_id = await kit.publish()
    delta = await kit.stream.since(USER, epoch, future)
    assert delta is not None
    assert [(entry.id, entry.offset) for entry in delta.entries] == [(entry_id, future + 1)]


async def test_an_entry_published_again_occurs_once(kit: StreamKit) -> None:
    """An entry that is published again moves to the end, with its new offset only."""
    start = await kit.stream.position(USER)
    first, second = await kit.publish(), await kit.publish()
    middle = await kit.stream.position(USER)
    await kit.publish_again(first)
    delta = await kit.stream.since(USER, *start)
    assert delta is not None
    assert [entry.id for entry in delta.entries] == [second, first]
    delta = await kit.stream.since(USER, *middle)
    assert delta is not None
    assert [entry.id for entry in delta.entries] == [first]


async def test_unknown_epoch(kit: StreamKit) -> None:
    """Nothing is recovered from another epoch, nor from text that cannot be one."""
    _, offset = await kit.stream.position(USER)
    for epoch in ("", "x", "-1", "1.5", "\u0661", "1", "9" * 16, "9" * 40):
        assert await kit.stream.since(USER, epoch, offset) is None


async def test_unknown_offset(kit: StreamKit) -> None:
    """Nothing is recovered from an offset that was never given: above the newest, or below the first."""
    epoch, offset = await kit.stream.position(USER)
    assert await kit.stream.since(USER, epoch, offset + 1) is None
    assert await kit.stream.since(USER, epoch, offset - 1) is None
    assert await kit.stream.since(USER, epoch, -1) is None


async def test_trimmed_offset(kit: StreamKit) -> None:
    """Once an entry above an offset has been trimmed, nothing is recovered from that offset; later ones still are."""
    start = await kit.stream.position(USER)
    await kit.publish()
    for _ in range(2 * kit.window):
        await kit.publish()
    recent = await kit.stream.position(USER)
    newest = [await kit.publish() for _ in range(kit.window // 2)]
    assert await kit.stream.since(USER, *start) is None
    delta = await kit.stream.since(USER, *recent)
    assert delta is not None
    assert [entry.id for entry in delta.entries] == newest


async def test_lost_log(kit: StreamKit) -> None:
    """When a log is lost, positions of its epoch are unknown, and the next log has another epoch."""
    before = await kit.stream.position(USER)
    await commands(kit.redis).delete(kit.key(USER))
    assert await kit.stream.since(USER, *before) is None
    assert not await commands(kit.redis).exists(kit.key(USER))
    after = await kit.stream.position(USER)
    assert after.epoch != before.epoch
    assert await kit.stream.since(USER, *before) is None


async def test_retained(kit: StreamKit) -> None:
    """All publications that the log holds are returned by growing offset, none for a log that is created by this."""
    empty = await kit.stream.retained(USER)
    assert (list(empty.entries), empty.position) == ([], await kit.stream.position(USER))
    ids = [await kit.publish() for _ in range(5)]
    delta = await kit.stream.retained(USER)
    assert [entry.id for entry in delta.entries] == ids
    assert delta.position == await kit.stream.position(USER)
    for _ in range(2 * kit.window):
        await kit.publish()
    entries = (await kit.stream.retained(USER)).entries
    assert kit.window <= len(entries) <= kit.log.capacity


@KITS
async def test_outage(make_kit: MakeKit, database: Database) -> None:
    """Every method raises `UnavailableError` if Redis does not answer."""
    redis = open_redis("unix:///nonexistent/redis.sock")
    stream = make_kit(redis, database).stream
    calls = (
        lambda: stream.position(USER),
        lambda: stream.since(USER, "1", 1),
        lambda: stream.retained(USER),
    )
    for call in calls:
        with pytest.raises(UnavailableError):
            await call()
    await redis.aclose()
