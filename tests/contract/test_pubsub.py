"""Pub/sub on one server and on a cluster: what is heard, and that no loss goes unnoticed."""

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
from tests.support.eventually import eventually
from tests.support.proxied import ProxiedRedis

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

DEADLINE = 0.5  # seconds
TOPICS = [topic_channel(f"photo:{number}") for number in range(30)]


class MessageListener:
    """A process's ear; what it hears, and how often it was lost and restored."""

    def __init__(self, redis: Redis, engine: ProxiedRedis) -> None:
        self._redis = redis
        self.engine = engine
        self.channels = process_channels(new_process_id())
        self.messages: list[tuple[bytes, bytes]] = []
        self.losses = self.restorations = 0
        self.wanted_topics: set[bytes] = set()
        self.pubsub = PubSub(
            engine, self.channels, self, has_subscribers=self.wanted_topics.__contains__, deadline=DEADLINE
        )

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Keep a message."""
        self.messages.append((channel, data))

    def lost(self) -> None:
        """Count."""
        self.losses += 1

    def restored(self) -> None:
        """Count."""
        self.restorations += 1

    async def publish(self, channel: bytes, data: bytes) -> int:
        """Publish as writers do, and return how many hear it."""
        return await publish(self._redis, channel, data)

    async def hears(self, channel: bytes) -> bool:
        """Tell whether a message to a channel arrives here, from where writers send it."""
        return await self.publish(channel, b"?") == 1


@pytest.fixture
async def ear(redis: Redis) -> AsyncIterator[MessageListener]:
    """An ear that listens."""
    async with ProxiedRedis.of(redis) as engine:
        ear = MessageListener(redis, engine)
        listening = asyncio.create_task(ear.pubsub.run())
        await eventually(lambda: ear.pubsub.connected)
        yield ear
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def test_all_channels(ear: MessageListener) -> None:
    """Every message to any of the process's channels arrives once, those of a channel in their order."""
    assert (ear.losses, ear.restorations) == (0, 1)
    for number in range(5):
        for channel in ear.channels:
            assert await ear.publish(channel, b"%d" % number) == 1
    await eventually(lambda: len(ear.messages) == 80)
    for channel in ear.channels:
        assert [data for heard, data in ear.messages if heard == channel] == [b"0", b"1", b"2", b"3", b"4"]


async def test_topics(ear: MessageListener) -> None:
    """From inside `listening` on, a topic is heard, whoever else asks for it at the same time."""

    async def listen(topic: bytes) -> None:
        async with ear.pubsub.subscription(topic):
            assert await ear.publish(topic, b"now") == 1

    await asyncio.gather(*(listen(topic) for topic in TOPICS * 2))
    await eventually(lambda: len(ear.messages) == 2 * len(TOPICS))
    assert sorted(ear.messages) == sorted((topic, b"now") for topic in TOPICS * 2)


async def test_unwanted_topics(ear: MessageListener) -> None:
    """A topic that nobody wants is given up after a while, one that is wanted stays; it can be heard again later."""
    kept, left = TOPICS[:10], TOPICS[10:]
    ear.wanted_topics.update(kept)
    for topic in TOPICS:
        async with ear.pubsub.subscription(topic):
            pass

    async def given_up() -> bool:
        return [await ear.hears(topic) for topic in left] == [False] * len(left)

    await eventually(given_up)
    assert [await ear.hears(topic) for topic in kept] == [True] * len(kept)
    async with ear.pubsub.subscription(left[0]):
        assert await ear.hears(left[0])
    assert ear.losses == 0


async def test_cut_connection(ear: MessageListener) -> None:
    """Each broken connection is reported as one loss; then every channel but the topics is subscribed again."""
    for number, proxy in enumerate(ear.engine.proxies, start=1):
        async with ear.pubsub.subscription(TOPICS[0]):
            assert await ear.hears(TOPICS[0])
        ear.wanted_topics.add(TOPICS[0])
        assert await proxy.cut() == 1
        await eventually(lambda: ear.restorations == number + 1)  # noqa: B023 - awaited here
        assert ear.losses == number
        assert ear.engine.renewals >= number
        assert [await ear.hears(channel) for channel in ear.channels] == [True] * 16
        assert not await ear.hears(TOPICS[0])


async def test_silence(ear: MessageListener) -> None:
    """A peer that swallows packets is noticed, each by itself, and as soon as it speaks again all is well."""
    for number, proxy in enumerate(ear.engine.proxies, start=1):
        proxy.freeze()
        await eventually(lambda: not ear.pubsub.connected)
        assert ear.losses == number
        proxy.thaw()
        await eventually(lambda: ear.restorations == number + 1)  # noqa: B023 - awaited here
        assert [await ear.hears(channel) for channel in ear.channels] == [True] * 16


async def test_other_servers(ear: MessageListener) -> None:
    """When the channels lie on other servers than those that are listened to, that is a loss, though nothing broke."""
    ear.engine.generation += 1
    await eventually(lambda: ear.restorations == 2)
    assert ear.losses == 1
    assert [await ear.hears(channel) for channel in ear.channels] == [True] * 16


async def test_quiet(ear: MessageListener, redis: Redis) -> None:
    """Connections on which nothing is said for long are kept up, and are no loss."""
    before, enough = await calls(redis, "ping"), 4 * len(ear.engine.proxies)

    async def pinged_for_longer_than_the_deadline() -> bool:
        return await calls(redis, "ping") - before >= enough

    await eventually(pinged_for_longer_than_the_deadline)
    assert ear.losses == 0


async def test_waiting_for_a_topic_in_vain(ear: MessageListener) -> None:
    """Who waits for a topic when the connection is lost is told; so is who asks while there is none."""
    for proxy in ear.engine.proxies:
        proxy.freeze()
    with pytest.raises(LiveUnavailableError):
        async with asyncio.timeout(5), ear.pubsub.subscription(TOPICS[0]):
            pytest.fail("nobody confirmed it")
    with pytest.raises(LiveUnavailableError):
        async with ear.pubsub.subscription(TOPICS[0]):
            pytest.fail("nobody is there")
    for proxy in ear.engine.proxies:
        proxy.thaw()


async def test_before_it_listens(redis: Redis) -> None:
    """Before the first connection stands, a topic cannot be listened to, and nothing is told."""
    async with ProxiedRedis.of(redis) as engine:
        ear = MessageListener(redis, engine)
        with pytest.raises(LiveUnavailableError):
            async with ear.pubsub.subscription(TOPICS[0]):
                pytest.fail("nothing listens")
        assert (ear.losses, ear.restorations) == (0, 0)
