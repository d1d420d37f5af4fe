"""Pub/sub on one server and on a cluster: messages are received, and no loss is hidden."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from channels.bus.addressing import new_process_id, process_channels, topic_channel
from channels.bus.pubsub import PubSub
from channels.bus.redis_client import publish
from channels.contract.errors import LiveUnavailableError
from storage.redis.client import Redis
from tests.support.commandstats import calls
from tests.support.eventually import DEADLINE, eventually
from tests.support.proxied import ProxiedRedis

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

PUBSUB_DEADLINE = 0.5  # seconds
TOPICS = [topic_channel(f"photo:{number}") for number in range(30)]


class Process:
    """A process's subscriptions: messages received, and the numbers of losses and restorations."""

    def __init__(self, redis: Redis, engine: ProxiedRedis) -> None:
        self._redis = redis
        self.engine = engine
        self.channels = process_channels(new_process_id())
        self.messages: list[tuple[bytes, bytes]] = []
        self.losses = self.restorations = 0
        self.needed_topics: set[bytes] = set()
        self.pubsub = PubSub(
            engine, self.channels, self, has_subscribers=self.needed_topics.__contains__, deadline=PUBSUB_DEADLINE
        )

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Record a message."""
        self.messages.append((channel, data))

    def lost(self) -> None:
        """Count the loss."""
        self.losses += 1

    def restored(self) -> None:
        """Count the restoration."""
        self.restorations += 1

    async def publish(self, channel: bytes, data: bytes) -> int:
        """Publish as writers do; return the number of receivers."""
        return await publish(self._redis, channel, data)

    async def receives(self, channel: bytes) -> bool:
        """Return whether a message to a channel arrives here from where writers publish."""
        return await self.publish(channel, b"?") == 1


@pytest.fixture
async def process(redis: Redis) -> AsyncIterator[Process]:
    """A process that receives messages."""
    async with ProxiedRedis.of(redis) as engine:
        process = Process(redis, engine)
        running = asyncio.create_task(process.pubsub.run())
        await eventually(lambda: process.pubsub.connected)
        yield process
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_all_channels(process: Process) -> None:
    """Every message to any of the process's channels arrives once, in order per channel."""
    assert (process.losses, process.restorations) == (0, 1)
    for number in range(5):
        for channel in process.channels:
            assert await process.publish(channel, b"%d" % number) == 1
    await eventually(lambda: len(process.messages) == 5 * len(process.channels))
    for channel in process.channels:
        assert [data for name, data in process.messages if name == channel] == [b"0", b"1", b"2", b"3", b"4"]


async def test_topics(process: Process) -> None:
    """Inside `subscription` a topic's messages arrive, also with other subscribers at the same time."""

    async def listen(topic: bytes) -> None:
        async with process.pubsub.subscription(topic):
            assert await process.publish(topic, b"now") == 1

    await asyncio.gather(*(listen(topic) for topic in TOPICS * 2))
    await eventually(lambda: len(process.messages) == 2 * len(TOPICS))
    assert sorted(process.messages) == sorted((topic, b"now") for topic in TOPICS * 2)


async def test_topics_without_subscribers(process: Process) -> None:
    """A topic without subscribers is given up after a while, others stay; it can be subscribed again later."""
    kept, left = TOPICS[:10], TOPICS[10:]
    process.needed_topics.update(kept)
    for topic in TOPICS:
        async with process.pubsub.subscription(topic):
            pass

    async def given_up() -> bool:
        return [await process.receives(topic) for topic in left] == [False] * len(left)

    await eventually(given_up)
    assert [await process.receives(topic) for topic in kept] == [True] * len(kept)
    async with process.pubsub.subscription(left[0]):
        assert await process.receives(left[0])
    assert process.losses == 0


async def test_cut_connection(process: Process) -> None:
    """Each broken connection is reported as one loss; then every channel but the topics is subscribed again."""
    for number, proxy in enumerate(process.engine.proxies, start=1):
        async with process.pubsub.subscription(TOPICS[0]):
            assert await process.receives(TOPICS[0])
        process.needed_topics.add(TOPICS[0])
        assert await proxy.cut() == 1
        await eventually(lambda: process.restorations == number + 1)  # noqa: B023 - awaited here
        assert process.losses == number
        assert process.engine.renewals >= number
        assert [await process.receives(channel) for channel in process.channels] == [True] * len(process.channels)
        assert not await process.receives(TOPICS[0])


async def test_silence(process: Process) -> None:
    """A peer that drops packets is detected, each by itself, and everything recovers once it responds again."""
    for number, proxy in enumerate(process.engine.proxies, start=1):
        proxy.freeze()
        await eventually(lambda: not process.pubsub.connected)
        assert process.losses == number
        proxy.thaw()
        await eventually(lambda: process.restorations == number + 1)  # noqa: B023 - awaited here
        assert [await process.receives(channel) for channel in process.channels] == [True] * len(process.channels)


async def test_other_servers(process: Process) -> None:
    """A move of the channels to other servers is a loss, although no connection broke."""
    process.engine.generation += 1
    await eventually(lambda: process.restorations == 2)
    assert process.losses == 1
    assert [await process.receives(channel) for channel in process.channels] == [True] * len(process.channels)


async def test_quiet(process: Process, redis: Redis) -> None:
    """Idle connections are kept alive, and are no loss."""
    before, enough = await calls(redis, "ping"), 4 * len(process.engine.proxies)

    async def pinged_for_longer_than_the_deadline() -> bool:
        return await calls(redis, "ping") - before >= enough

    await eventually(pinged_for_longer_than_the_deadline)
    assert process.losses == 0


async def test_waiting_for_a_topic_in_vain(process: Process) -> None:
    """Waiting for a topic raises an error when the connection is lost, and so does a subscribe meanwhile."""
    for proxy in process.engine.proxies:
        proxy.freeze()
    with pytest.raises(LiveUnavailableError):
        async with asyncio.timeout(DEADLINE), process.pubsub.subscription(TOPICS[0]):
            pytest.fail("nobody confirmed it")
    with pytest.raises(LiveUnavailableError):
        async with process.pubsub.subscription(TOPICS[0]):
            pytest.fail("nobody is there")
    for proxy in process.engine.proxies:
        proxy.thaw()


async def test_before_the_first_connection(redis: Redis) -> None:
    """Before the first connection a topic cannot be subscribed, and nothing is reported."""
    async with ProxiedRedis.of(redis) as engine:
        process = Process(redis, engine)
        with pytest.raises(LiveUnavailableError):
            async with process.pubsub.subscription(TOPICS[0]):
                pytest.fail("nothing listens")
        assert (process.losses, process.restorations) == (0, 0)
