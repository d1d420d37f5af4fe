"""Writers in storage and readers in channels use the same names and bytes for messages to live processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from channels.bus.addressing import channel_prefix, new_process_id, process_channels, registry_key, user_field
from channels.bus.envelope import Envelope, StreamBody, decode_envelope, stream_body
from channels.bus.publisher import LivePublisher
from channels.bus.pubsub import PubSub
from channels.bus.registry import Registry
from server.composition.delivery import delivery_script
from storage.feeds.notification_log import NotificationLog
from storage.feeds.window_log import WindowLog
from storage.ids import IdGenerator, slot_group
from storage.redis.client import Redis
from tests.support.driver_commands import commands
from tests.support.eventually import eventually

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

BODY = stream_body("feed", b'{"type":"photo.new"}')
NEW_IDS = IdGenerator()


class Process:
    """A live process reduced to its registrations and the envelopes that it receives."""

    def __init__(self, redis: Redis) -> None:
        self.process_id = new_process_id()
        self.envelopes: list[Envelope] = []
        self.user_ids: set[int] = set()
        self.registry = Registry(redis, self.process_id, slot_group, self.user_ids.__contains__)
        self.pubsub = PubSub(
            redis, process_channels(self.process_id), self, has_subscribers=lambda _: False, deadline=2.0
        )

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Record an envelope after checking its channel."""
        envelope = decode_envelope(data)
        assert channel in {channel_prefix(slot_group(user_id)) + self.process_id for user_id in envelope.user_ids}
        self.envelopes.append(envelope)

    def lost(self) -> None:
        """Do nothing."""

    def restored(self) -> None:
        """Do nothing."""

    def offsets_by_user(self) -> dict[int, list[int]]:
        """Return the offsets received for each recipient."""
        offsets: dict[int, list[int]] = {}
        for envelope in self.envelopes:
            for user_id in envelope.user_ids:
                offsets.setdefault(user_id, []).append(envelope.offset)
        return offsets


@pytest.fixture
async def process(redis: Redis) -> AsyncIterator[Process]:
    """A process that receives messages."""
    process = Process(redis)
    tasks = [asyncio.create_task(process.pubsub.run()), asyncio.create_task(process.registry.run())]
    await eventually(lambda: process.pubsub.connected)
    yield process
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def user_ids(count: int) -> list[int]:
    """Return ids of that many users in different shards."""
    return [NEW_IDS.new(number * 1024 // count) for number in range(count)]


async def insert(redis: Redis, user_ids: list[int]) -> None:
    """Insert a photo into feeds."""
    log = WindowLog(redis, "feed", delivery_script(redis))
    for user_id in user_ids:
        await log.open(user_id)
    await log.insert(NEW_IDS.new(1), user_ids, BODY)


async def remove(redis: Redis, user_ids: list[int]) -> None:
    """Remove a photo from feeds that never contained it."""
    log = WindowLog(redis, "feed", delivery_script(redis))
    for user_id in user_ids:
        await log.open(user_id)
    await log.remove(NEW_IDS.new(1), user_ids, BODY)


async def notify(redis: Redis, user_ids: list[int]) -> None:
    """Insert a notification for each user."""
    log = NotificationLog(redis, delivery_script(redis))
    for user_id in user_ids:
        await log.position(user_id)
        await log.push(user_id, NEW_IDS.new(1), BODY)


async def publish(redis: Redis, user_ids: list[int]) -> None:
    """Publish without a log."""
    await LivePublisher(redis, slot_group).to_users(user_ids, BODY)


Writer = Callable[[Redis, list[int]], Awaitable[None]]
WRITERS: list[Writer] = [insert, remove, notify, publish]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
async def test_addressed(redis: Redis, process: Process, writer: Writer) -> None:
    """Each registered recipient is listed once, with the body as given, and no user who is offline."""
    recipients = user_ids(40)
    process.user_ids.update(recipients[:30])
    await process.registry.register(recipients[:30])
    await writer(redis, recipients)
    await eventually(lambda: sum(len(envelope.user_ids) for envelope in process.envelopes) == 30)
    assert {user_id: len(offsets) for user_id, offsets in process.offsets_by_user().items()} == dict.fromkeys(
        recipients[:30], 1
    )
    assert {envelope.body for envelope in process.envelopes} == {StreamBody("feed", b'{"type":"photo.new"}')}


@pytest.mark.parametrize("writer", [insert, remove, notify], ids=lambda writer: writer.__name__)
async def test_offsets_can_be_recovered(redis: Redis, process: Process, writer: Writer) -> None:
    """A published offset is greater than every position read before, and is the position from then on."""
    recipients = user_ids(3)
    log = WindowLog(redis, "notes" if writer is notify else "feed", delivery_script(redis))
    process.user_ids.update(recipients)
    await process.registry.register(recipients)
    for _ in range(3):
        before = {user_id: (await log.open(user_id))[1] for user_id in recipients}
        process.envelopes.clear()
        await writer(redis, recipients)
        await eventually(lambda: len(process.offsets_by_user()) == 3)
        for user_id, offsets in process.offsets_by_user().items():
            assert before[user_id] < offsets[-1] < 1 << 53
            assert (await log.open(user_id))[1] == offsets[-1]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
async def test_dead_processes(redis: Redis, process: Process, writer: Writer) -> None:
    """A process without subscribers is removed from the registry, a live one stays, in any order."""
    one, two, three = user_ids(3)
    process.user_ids.update({one, two})
    await process.registry.register([one, two])
    for user_id, value in (
        (one, b"deadbeef" + process.process_id),
        (two, process.process_id + b"deadbeef"),
        (three, b"deadbeef"),
    ):
        await commands(redis).hset(registry_key(slot_group(user_id)), user_field(user_id), value)
    await writer(redis, [one, two, three])

    async def mended() -> bool:
        values = [
            await commands(redis).hget(registry_key(slot_group(user)), user_field(user)) for user in (one, two, three)
        ]
        assert values == [process.process_id, process.process_id, None], values
        return True

    await eventually(mended)


async def test_registration_is_idempotent(redis: Redis, process: Process) -> None:
    """Registering again adds nothing and reports so; registrations of other processes are unchanged."""
    one, two = user_ids(2)
    other = Process(redis)
    writing = asyncio.create_task(other.registry.run())
    process.user_ids.update({one, two})
    other.user_ids.add(one)
    assert await process.registry.register([one, two]) == {one, two}
    assert await other.registry.register([one]) == {one}
    assert await process.registry.register([one, two]) == set()
    process.user_ids.clear()
    assert await process.registry.register([one, two]) == set()
    assert await commands(redis).hgetall(registry_key(slot_group(one))) == {user_field(one): other.process_id}
    assert await commands(redis).hgetall(registry_key(slot_group(two))) == {}
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
