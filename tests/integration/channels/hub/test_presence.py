"""Presence across live processes: going online, moving and going offline, dead processes, and permissions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from channels.bus.addressing import PROCESSES_KEY, presence_topic, registry_key, topic_channel, user_field
from channels.bus.envelope import control_body
from channels.bus.presence_store import PresenceStore
from channels.bus.processes import Processes
from channels.bus.publisher import LivePublisher
from storage.redis.client import Redis
from tests.integration.channels.conftest import Serve
from tests.support.driver_commands import commands
from tests.support.eventually import PROMPTLY, eventually
from tests.support.live import BareClient, LiveServer, group_of

pytestmark = pytest.mark.engines

CHANNEL = "presence:7"
TOPIC = presence_topic(group_of(7), 7)
SOON = {"presence_interval": 0.05, "process_deadline": 0.6}
ONLINE = {"user": 7, "online": True, "last_seen": None}

Guest = Callable[..., AbstractAsyncContextManager[BareClient]]


@asynccontextmanager
async def guest(server: LiveServer, token: str, *channels: str) -> AsyncIterator[BareClient]:
    """Connect a user and subscribe to channels."""
    async with BareClient.to(server.url) as client:
        await client.connect(token)
        for channel in channels:
            assert "subscribe" in await client.request("subscribe", channel=channel)
        yield client


async def away(client: BareClient) -> None:
    """Wait for the message that user 7 is offline."""
    change = await client.data()
    assert (change["user"], change["online"]) == (7, False)
    assert change["last_seen"] > 0


async def marked(redis: Redis, *clients: BareClient) -> list[Any]:
    """Return the messages that each client has received on the topic so far."""
    await LivePublisher(redis, group_of).to_topic(TOPIC, b'"mark"')
    received = []
    for client in clients:
        while (data := await client.data()) != "mark":
            received.append(data)
    return received


async def test_online_moving_and_offline(serve: Serve, redis: Redis) -> None:
    """Subscribers at either process receive each change once, and nothing when a user moves between processes."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serve(**SOON, presence_grace=60))
        two = await stack.enter_async_context(serve(**SOON, presence_grace=60))
        listeners = [await stack.enter_async_context(guest(server, "8", CHANNEL)) for server in (one, two)]
        async with guest(one, "7"):
            assert await marked(redis, *listeners) == [ONLINE, ONLINE]
        async with guest(two, "7"), guest(one, "7"):
            pass

        async def nowhere() -> bool:
            return not await commands(redis).hexists(registry_key(group_of(7)), user_field(7))

        await eventually(nowhere)
        assert await marked(redis, *listeners) == []
        store = PresenceStore(redis, group_of)
        assert sum(await asyncio.gather(store.expire_departed(grace=0), store.expire_departed(grace=0))) == 1
        for client in listeners:
            await away(client)
        assert await marked(redis, *listeners) == []


async def test_departed_users_go_offline(serve: Serve) -> None:
    """After the grace period the processes themselves announce departed users."""
    async with serve(**SOON, presence_grace=0.1) as server, guest(server, "8", CHANNEL) as listener:
        async with guest(server, "7"):
            assert await listener.data() == ONLINE
        await away(listener)
        await eventually(lambda: (server.metrics.online, server.metrics.offline) == (2, 1))


async def test_a_killed_process(serve: Serve, redis: Redis) -> None:
    """Users of a killed process go offline, announced once, and its registrations are removed; others stay."""
    async with AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(serve(**SOON, presence_grace=0.1)) for _ in range(3)]
        listener = await stack.enter_async_context(guest(two, "8", CHANNEL, "presence:9"))
        for server, token in ((one, "7"), (one, "9"), (three, "9")):
            await stack.enter_async_context(guest(server, token))
        assert [(await listener.data())["user"] for _ in range(2)] == [7, 9]
        await one.kill()
        await away(listener)
        await eventually(lambda: two.metrics.expired + three.metrics.expired == 1)
        assert await commands(redis).hgetall(registry_key(group_of(7))) == {}
        assert await commands(redis).hget(registry_key(group_of(9)), user_field(9)) == three.live.process_id
        assert await marked(redis, listener) == []
        assert await commands(redis).zscore(PROCESSES_KEY, one.live.process_id) is None


async def test_the_next_start_removes_a_dead_process(serve: Serve, redis: Redis) -> None:
    """If no process was left to detect a killed one, the next one to start does."""
    async with serve(**SOON) as server, guest(server, "7"):
        await server.kill()
    store = PresenceStore(redis, group_of)
    assert (await store.read(7)).online
    async with serve(**SOON, presence_grace=0.1) as next_one:

        async def gone() -> bool:
            return not (await store.read(7)).online

        await eventually(gone)
        await eventually(lambda: next_one.metrics.expired == 1)


async def test_deaths_while_the_list_was_lost(serve: Serve, redis: Redis) -> None:
    """A registered process that is missing from the list is removed with the next dead process."""
    async with serve(**SOON, presence_grace=0.1) as server, guest(server, "8", CHANNEL) as listener:
        async with guest(server, "7"):
            assert await listener.data() == ONLINE
            await commands(redis).hset(registry_key(group_of(7)), user_field(7), b"unknown0")
        await commands(redis).zadd(PROCESSES_KEY, {b"deadbeef": 1_700_000_000_000})
        await away(listener)
        await eventually(lambda: server.metrics.expired == 2)
        assert await commands(redis).hgetall(registry_key(group_of(7))) == {}


async def test_a_process_that_was_taken_for_dead(serve: Serve, redis: Redis) -> None:
    """A process that was expired by mistake registers its users again at its next beat, and they are online."""
    # The listener is connected to another process: a registration that is found missing ends the user's topics.
    async with (
        serve(**SOON) as other,
        serve(**SOON) as server,
        guest(other, "8", CHANNEL) as listener,
        guest(server, "7"),
    ):
        assert await listener.data() == ONLINE
        store = PresenceStore(redis, group_of)
        await store.remove_processes({server.live.process_id: 1_700_000_000_000})
        await store.expire_departed(grace=0)
        await away(listener)
        await Processes(redis, b"process1", deadline=20).remove([server.live.process_id])
        assert await listener.data() == ONLINE


async def test_a_process_is_on_the_list_until_it_stops(serve: Serve, redis: Redis) -> None:
    """A process is listed before any user is registered at it, and until it has stopped in an orderly way."""
    async with serve(**SOON) as server:
        assert await commands(redis).zscore(PROCESSES_KEY, server.live.process_id) is not None
    assert await commands(redis).zscore(PROCESSES_KEY, server.live.process_id) is None


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_a_subscription_begins_with_the_state(server: LiveServer, packed: bool) -> None:
    """The subscribe result has the current state; for a channel without one it is empty."""
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("8")
        reply = await client.request("subscribe", channel=CHANNEL)
        assert reply["subscribe"] == {"data": {"online": False, "last_seen": None}}
        own = await client.request("subscribe", channel="presence:8")
        assert own["subscribe"] == {"data": {"online": True, "last_seen": None}}
        assert (await client.request("subscribe", channel="photo:5"))["subscribe"] == {}


async def test_a_change_while_subscribing(server: LiveServer) -> None:
    """A change between the read of the state and the first message is not missed: the state is read again."""
    gate = server.authorizer.gate = asyncio.Event()
    async with BareClient.to(server.url) as client, BareClient.to(server.url) as other:
        await client.connect("8")
        await client.send({"id": 50, "subscribe": {"channel": CHANNEL}})
        await eventually(lambda: server.authorizer.asked == 1)
        gate.set()
        gate.clear()
        # Now the state of 7, offline, has been read, and the topic is subscribed.
        await eventually(lambda: server.authorizer.asked == 2)
        await other.connect("7")
        server.authorizer.gate = None
        # The reply follows the messages that were published before it.
        assert "subscribe" in await other.request("subscribe", channel=CHANNEL)
        gate.set()
        assert (await client.reply(50))["subscribe"]["data"]["online"] is True
        assert await client.quiet() == []


async def test_a_topic_closed_while_subscribing(server: LiveServer) -> None:
    """A topic that is closed during a subscribe rejects it."""
    publisher = LivePublisher(server.redis, group_of)
    async with BareClient.to(server.url) as client, guest(server, "9", "photo:1") as other:
        await client.connect("8")
        gate = server.authorizer.gate = asyncio.Event()
        await client.send({"id": 50, "subscribe": {"channel": CHANNEL}})
        await eventually(lambda: server.authorizer.asked == 2)
        gate.set()
        gate.clear()
        await eventually(lambda: server.authorizer.asked == 3)
        server.authorizer.blocked.add((7, 8))
        await publisher.restrict_topic(TOPIC)
        await publisher.to_topic("photo:1", b"{}")
        assert await other.data() == {}  # so the order before it has been received
        gate.set()
        assert (await client.reply(50))["error"]["code"] == 103


async def test_a_restricted_topic(server: LiveServer) -> None:
    """A topic that is restricted to its owner ends for all others at once."""
    async with guest(server, "8", CHANNEL) as other, guest(server, "7", CHANNEL) as owner:
        assert await other.data() == ONLINE
        await LivePublisher(server.redis, group_of).restrict_topic(TOPIC)
        async with asyncio.timeout(PROMPTLY):
            push = await other.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == (CHANNEL, 2000)
        await LivePublisher(server.redis, group_of).to_topic(TOPIC, b'"still here"')
        assert await owner.data() == "still here"
        assert await other.quiet() == []


async def test_one_topic_of_an_owner_is_revoked(server: LiveServer) -> None:
    """Revoking one topic of an owner leaves subscriptions to the owner's other topics."""
    async with guest(server, "8", "photo:7", CHANNEL) as client:
        publisher = LivePublisher(server.redis, group_of)
        await publisher.to_users([8], control_body(control="revoke", owner=7, topic=TOPIC))
        async with asyncio.timeout(PROMPTLY):
            push = await client.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == (CHANNEL, 2000)
        await publisher.to_topic("photo:7", b"{}")
        assert (await client.push())["channel"] == "photo:7"


async def test_an_emptied_redis_is_filled_again(serve: Serve, redis: Redis) -> None:
    """After a loss of all data users are online again with the next renewal."""
    async with serve(**SOON, renewal_interval=0.1) as server, guest(server, "7"):
        await commands(redis).flushall()
        store = PresenceStore(redis, group_of)

        async def known() -> bool:
            return (await store.read(7)).online

        await eventually(known)


def test_the_topic_s_channel_is_the_scripts() -> None:
    """The topic that subscribers are granted is the one to which the scripts publish."""
    assert topic_channel(TOPIC) == b"topic:presence:{7}:0000000000000007"
