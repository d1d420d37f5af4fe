"""Live delivery on a Redis Cluster: each client receives everything once, and nothing stays missing after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.crc import key_slot

from channels.bus.addressing import GROUPS
from channels.bus.publisher import LivePublisher
from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.live import build_live
from server.live.streams import live_streams
from storage.ids import encode, slot_group
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.engines.redis_cluster import RedisCluster
from tests.integration.channels.conftest import QUICK, Serve
from tests.support.commandstats import calls
from tests.support.community import follow, new_user, ready_photo
from tests.support.eventually import DEADLINE, eventually
from tests.support.fake_ports import FakeOperations, FakePresences
from tests.support.live import BareClient, LiveServer, group_of
from tests.support.stage import Stage

pytestmark = pytest.mark.engines

GROUP = 7  # of the users whose master is affected; the tests' users are in the group of their number


@pytest.fixture
def redis_url(cluster_url: str) -> str:
    """Return the cluster's URL alone."""
    return cluster_url


class FeedServer(LiveServer):
    """A live process with the feeds that the workers write."""

    def __init__(self, stage: Stage) -> None:
        settings = LiveSettings(**QUICK)  # type: ignore[arg-type]
        super().__init__(stage.redis, settings)
        streams = live_streams(
            db=stage.database,
            feeds=stage.feeds,
            cards=stage.cards,
            counter_cache=stage.counter_cache,
            notification_log=stage.notification_log,
            sign=lambda path: path,
        )
        ports = Ports(
            authenticator=self.authenticator,
            streams=streams,
            authorizer=self.authorizer,
            presences=FakePresences(),
            operations=FakeOperations(),
        )
        self.live = build_live(stage.redis, ports, slot_group, settings, metrics=self.metrics)


async def test_fan_out(database: Database, redis: Redis) -> None:
    """A photo reaches every follower at every process once, by one message per process and slot group."""
    stage = Stage(database, redis)
    ann = await new_user(database, "ann")
    followers = [await new_user(database, f"reader{number}") for number in range(30)]
    for follower in followers:
        await follow(database, follower, ann)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(FeedServer(stage).running()) for _ in range(2)]
        clients = {}
        held = {(number % 2, reader.id) for number, reader in enumerate(followers[:26])} | {(0, followers[1].id)}
        for process, reader_id in held:
            client = clients[process, reader_id] = await stack.enter_async_context(BareClient.to(servers[process].url))
            await client.connect(str(reader_id))
        before = await calls(redis, "spublish")
        photo = await ready_photo(database, ann)
        await stage.pump()
        for client in clients.values():
            push = await client.push()
            assert (push["channel"], push["pub"]["data"]["photo"]["id"]) == ("feed", encode(photo.id))
            assert await client.quiet() == []
        addressed = {(process, slot_group(reader_id)) for process, reader_id in held}
        assert len(addressed) < len(held)
        # And one to the author's profile, and one to the topic of all public photos.
        assert await calls(redis, "spublish") - before == len(addressed) + 2


async def test_topics(serve: Serve, redis: Redis) -> None:
    """Every process with subscribers receives a topic's message once, in whichever slot it is."""
    channels = [f"photo:{number}" for number in range(12)]
    async with serve() as one, serve() as two, BareClient.to(one.url) as first, BareClient.to(two.url) as second:
        for client, user in ((first, "7"), (second, "8")):
            await client.connect(user)
            for channel in channels:
                assert "subscribe" in await client.request("subscribe", channel=channel)
        publisher = LivePublisher(redis, group_of)
        for channel in channels:
            await publisher.to_topic(channel, b'{"likes":1}')
        for client in (first, second):
            pushes = [await client.push() for _ in channels]
            assert sorted(push["channel"] for push in pushes) == sorted(channels)
            assert await client.quiet() == []


class Talk:
    """Users of one slot group and of all others; each has to receive every number once and in order."""

    def __init__(self, server: LiveServer, redis: Redis, clients: list[BareClient]) -> None:
        self.server = server
        self._redis = redis
        self._clients = clients
        self._sent = 0

    @classmethod
    @asynccontextmanager
    async def on(cls, serve: Serve, redis: Redis, **settings: object) -> AsyncIterator[Talk]:
        """Connect sixteen users to a live process."""
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve(**settings))
            clients = [await stack.enter_async_context(BareClient.to(server.url)) for _ in range(GROUPS)]
            for group, client in enumerate(clients):
                await client.connect(str(group))
            yield cls(server, redis, clients)

    def write(self) -> None:
        """Append the next number for every user without publishing it, as if the message was lost."""
        self._sent += 1
        for group in range(GROUPS):
            self.server.streams.append(group, "feed", b'{"n":%d}' % self._sent)

    async def send(self) -> None:
        """Append the next number for every user and publish it."""
        self._sent += 1
        await self.server.publish(self._redis, list(range(GROUPS)), "feed", {"n": self._sent})

    async def received(self) -> None:
        """Wait until every user has received every number since the last call, once and in order."""
        for client in self._clients:
            while (number := (await client.data())["n"]) != self._sent:
                assert number < self._sent
            assert await client.quiet() == []


async def test_broken_connection(serve: Serve, redis: Redis, cluster: RedisCluster) -> None:
    """After a master cuts its pub/sub connection, missed publications are read, and later ones arrive."""
    async with Talk.on(serve, redis) as talk:
        for node in cluster.nodes:
            talk.write()
            assert node.call("CLIENT", "KILL", "TYPE", "pubsub") == 1
            await talk.received()
            await talk.send()
            await talk.received()


async def test_restarted_master(serve: Serve, redis: Redis, cluster: RedisCluster) -> None:
    """After a master was killed and restarted, everything arrives within ten seconds, including what was missed."""
    node = cluster.owner_of(key_slot(b"{%d}" % GROUP))
    async with Talk.on(serve, redis) as talk:
        await asyncio.to_thread(node.kill)
        await eventually(lambda: not talk.server.live.ready)
        talk.write()
        await asyncio.to_thread(node.start)
        async with asyncio.timeout(DEADLINE):
            await talk.received()
            await talk.send()
            await talk.received()
    await asyncio.to_thread(cluster.wait)


async def test_moved_slot(serve: Serve, redis: Redis, cluster: RedisCluster) -> None:
    """After a slot group moves to another master, its users receive what was missed and all that follows."""
    slot = key_slot(b"{%d}" % GROUP)
    source = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not source)
    # With such a deadline the process would check its slots only after the test.
    async with Talk.on(serve, redis, pubsub_deadline=60) as talk:
        for destination in (target, source):
            await asyncio.to_thread(cluster.begin_to_move, slot, destination)
            await talk.send()
            await asyncio.to_thread(cluster.move, slot, destination)
            await talk.received()
            await talk.send()
            await talk.received()


async def test_failover(serve: Serve, redis: Redis, cluster: RedisCluster) -> None:
    """After a failover, messages arrive from the new master, although the old one's connection is still open."""
    node = cluster.owner_of(key_slot(b"{%d}" % GROUP))
    with cluster.replica_of(node) as replica:
        async with Talk.on(serve, redis) as talk:
            await talk.send()
            await talk.received()
            talk.write()
            await asyncio.to_thread(cluster.promote, replica)
            await talk.received()
            await talk.send()
            await talk.received()
