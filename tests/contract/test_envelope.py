"""Writers in storage and readers in channels agree on the names and bytes of what reaches live processes."""

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
from storage.ids import IdMaker, slot_group
from storage.redis.client import Redis
from tests.support.driver_commands import commands
from tests.support.eventually import eventually

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

BODY = stream_body("feed", b'{"type":"photo.new"}')
NEW_IDS = IdMaker()


class MessageListener:
    """A live process reduced to its ear: registered people, and the envelopes that arrive."""

    def __init__(self, redis: Redis) -> None:
        self.process_id = new_process_id()
        self.envelopes: list[Envelope] = []
        self.people: set[int] = set()
        self.registry = Registry(redis, self.process_id, slot_group, self.people.__contains__)
        self.pubsub = PubSub(
            redis, process_channels(self.process_id), self, has_subscribers=lambda _: False, deadline=2.0
        )

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Keep an envelope, having looked at its address."""
        envelope = decode_envelope(data)
        assert channel in {channel_prefix(slot_group(user_id)) + self.process_id for user_id in envelope.user_ids}
        self.envelopes.append(envelope)

    def lost(self) -> None:
        """Do nothing."""

    def restored(self) -> None:
        """Do nothing."""

    def heard(self) -> dict[int, list[int]]:
        """Return who was addressed, with the offsets."""
        offsets: dict[int, list[int]] = {}
        for envelope in self.envelopes:
            for user_id in envelope.user_ids:
                offsets.setdefault(user_id, []).append(envelope.offset)
        return offsets


@pytest.fixture
async def ear(redis: Redis) -> AsyncIterator[MessageListener]:
    """A process that listens."""
    ear = MessageListener(redis)
    tasks = [asyncio.create_task(ear.pubsub.run()), asyncio.create_task(ear.registry.run())]
    await eventually(lambda: ear.pubsub.connected)
    yield ear
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def people(count: int) -> list[int]:
    """Return ids of people in as many shards."""
    return [NEW_IDS.new(number * 1024 // count) for number in range(count)]


async def insert(redis: Redis, user_ids: list[int]) -> None:
    """Insert a photo into feeds."""
    log = WindowLog(redis, "feed", delivery_script(redis))
    for user_id in user_ids:
        await log.open(user_id)
    await log.insert(NEW_IDS.new(1), user_ids, BODY)


async def remove(redis: Redis, user_ids: list[int]) -> None:
    """Take a photo out of feeds that never held it."""
    log = WindowLog(redis, "feed", delivery_script(redis))
    for user_id in user_ids:
        await log.open(user_id)
    await log.remove(NEW_IDS.new(1), user_ids, BODY)


async def notify(redis: Redis, user_ids: list[int]) -> None:
    """Push a notification to each."""
    log = NotificationLog(redis, delivery_script(redis))
    for user_id in user_ids:
        await log.position(user_id)
        await log.push(user_id, NEW_IDS.new(1), BODY)


async def publish(redis: Redis, user_ids: list[int]) -> None:
    """Send past all logs."""
    await LivePublisher(redis, slot_group).to_users(user_ids, BODY)


Writer = Callable[[Redis, list[int]], Awaitable[None]]
WRITERS: list[Writer] = [insert, remove, notify, publish]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
async def test_addressed(redis: Redis, ear: MessageListener, writer: Writer) -> None:
    """Each registered recipient is named once, with the body as it was given, and nobody who is away."""
    everyone = people(40)
    ear.people.update(everyone[:30])
    await ear.registry.register(everyone[:30])
    await writer(redis, everyone)
    await eventually(lambda: sum(len(envelope.user_ids) for envelope in ear.envelopes) == 30)
    assert {user_id: len(offsets) for user_id, offsets in ear.heard().items()} == dict.fromkeys(everyone[:30], 1)
    assert {envelope.body for envelope in ear.envelopes} == {StreamBody("feed", b'{"type":"photo.new"}')}


@pytest.mark.parametrize("writer", [insert, remove, notify], ids=lambda writer: writer.__name__)
async def test_offsets_can_be_recovered(redis: Redis, ear: MessageListener, writer: Writer) -> None:
    """The offset that is announced is greater than every position read before, and is the position from then on."""
    everyone = people(3)
    log = WindowLog(redis, "notes" if writer is notify else "feed", delivery_script(redis))
    ear.people.update(everyone)
    await ear.registry.register(everyone)
    for _ in range(3):
        before = {user_id: (await log.open(user_id))[1] for user_id in everyone}
        ear.envelopes.clear()
        await writer(redis, everyone)
        await eventually(lambda: len(ear.heard()) == 3)
        for user_id, offsets in ear.heard().items():
            assert before[user_id] < offsets[-1] < 1 << 53
            assert (await log.open(user_id))[1] == offsets[-1]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
async def test_dead_processes(redis: Redis, ear: MessageListener, writer: Writer) -> None:
    """A process that nobody listens for is taken out of the registry, one that lives stays, wherever it stands."""
    one, two, three = people(3)
    ear.people.update({one, two})
    await ear.registry.register([one, two])
    for user_id, value in (
        (one, b"deadbeef" + ear.process_id),
        (two, ear.process_id + b"deadbeef"),
        (three, b"deadbeef"),
    ):
        await commands(redis).hset(registry_key(slot_group(user_id)), user_field(user_id), value)
    await writer(redis, [one, two, three])

    async def mended() -> bool:
        values = [
            await commands(redis).hget(registry_key(slot_group(user)), user_field(user)) for user in (one, two, three)
        ]
        assert values == [ear.process_id, ear.process_id, None], values
        return True

    await eventually(mended)


async def test_registration_is_idempotent(redis: Redis, ear: MessageListener) -> None:
    """Registering again adds nothing and says so; other processes' registrations are left alone."""
    one, two = people(2)
    other = MessageListener(redis)
    writing = asyncio.create_task(other.registry.run())
    ear.people.update({one, two})
    other.people.add(one)
    assert await ear.registry.register([one, two]) == {one, two}
    assert await other.registry.register([one]) == {one}
    assert await ear.registry.register([one, two]) == set()
    ear.people.clear()
    assert await ear.registry.register([one, two]) == set()
    assert await commands(redis).hgetall(registry_key(slot_group(one))) == {user_field(one): other.process_id}
    assert await commands(redis).hgetall(registry_key(slot_group(two))) == {}
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
