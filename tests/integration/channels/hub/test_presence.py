"""Presence across live processes: coming, moving and going, processes that die, and who may hear."""

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
from tests.support.eventually import eventually
from tests.support.live import BareClient, LiveServer, group_of

pytestmark = pytest.mark.engines

CHANNEL = "presence:7"
TOPIC = presence_topic(group_of(7), 7)
SOON = {"presence_interval": 0.05, "process_deadline": 0.6}
ONLINE = {"user": 7, "online": True, "last_seen": None}

Guest = Callable[..., AbstractAsyncContextManager[BareClient]]


@asynccontextmanager
async def guest(server: LiveServer, token: str, *channels: str) -> AsyncIterator[BareClient]:
    """Connect somebody and subscribe to channels."""
    async with BareClient.to(server.url) as client:
        await client.connect(token)
        for channel in channels:
            assert "subscribe" in await client.ask("subscribe", channel=channel)
        yield client


async def away(client: BareClient) -> None:
    """Wait for the news that person 7 has gone."""
    news = await client.data()
    assert (news["user"], news["online"]) == (7, False)
    assert news["last_seen"] > 0


async def marked(redis: Redis, *clients: BareClient) -> list[Any]:
    """Return what each of these has been told on the topic, up to now."""
    await LivePublisher(redis, group_of).to_topic(TOPIC, b'"mark"')
    told = []
    for client in clients:
        while (data := await client.data()) != "mark":
            told.append(data)
    return told


async def test_coming_moving_and_going(serve: Serve, redis: Redis) -> None:
    """Listeners at either process hear once that a person comes and once that they go, and nothing of moves between."""
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
        book = PresenceStore(redis, group_of)
        assert sum(await asyncio.gather(book.expire_departed(grace=0), book.expire_departed(grace=0))) == 1
        for client in listeners:
            await away(client)
        assert await marked(redis, *listeners) == []


async def test_who_does_not_come_back_is_away(serve: Serve) -> None:
    """After the grace the processes themselves announce who has gone."""
    async with serve(**SOON, presence_grace=0.1) as server, guest(server, "8", CHANNEL) as listener:
        async with guest(server, "7"):
            assert await listener.data() == ONLINE
        await away(listener)
        await eventually(lambda: (server.metrics.joined, server.metrics.parted) == (2, 1))


async def test_a_killed_process(serve: Serve, redis: Redis) -> None:
    """The people of a killed process are away, told once, and its registrations are gone; who is elsewhere, stays."""
    async with AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(serve(**SOON, presence_grace=0.1)) for _ in range(3)]
        listener = await stack.enter_async_context(guest(two, "8", CHANNEL, "presence:9"))
        for server, token in ((one, "7"), (one, "9"), (three, "9")):
            await stack.enter_async_context(guest(server, token))
        assert [(await listener.data())["user"] for _ in range(2)] == [7, 9]
        await one.kill()
        await away(listener)
        await eventually(lambda: two.metrics.cleared + three.metrics.cleared == 1)
        assert await commands(redis).hgetall(registry_key(group_of(7))) == {}
        assert await commands(redis).hget(registry_key(group_of(9)), user_field(9)) == three.live.process_id
        assert await marked(redis, listener) == []
        assert await commands(redis).zscore(PROCESSES_KEY, one.live.process_id) is None


async def test_the_next_start_clears_the_last_end(serve: Serve, redis: Redis) -> None:
    """When nobody was left to notice a killed process, the next one to start does."""
    async with serve(**SOON) as server, guest(server, "7"):
        await server.kill()
    book = PresenceStore(redis, group_of)
    assert (await book.read(7)).online
    async with serve(**SOON, presence_grace=0.1) as next_one:

        async def gone() -> bool:
            return not (await book.read(7)).online

        await eventually(gone)
        await eventually(lambda: next_one.metrics.cleared == 1)


async def test_deaths_while_the_list_was_lost(serve: Serve, redis: Redis) -> None:
    """A process that people are registered at and that nobody knows is cleared with the next one that dies."""
    async with serve(**SOON, presence_grace=0.1) as server, guest(server, "8", CHANNEL) as listener:
        async with guest(server, "7"):
            assert await listener.data() == ONLINE
            await commands(redis).hset(registry_key(group_of(7)), user_field(7), b"unknown0")
        await commands(redis).zadd(PROCESSES_KEY, {b"deadbeef": 1_700_000_000_000})
        await away(listener)
        await eventually(lambda: server.metrics.cleared == 2)
        assert await commands(redis).hgetall(registry_key(group_of(7))) == {}


async def test_a_process_that_was_taken_for_dead(serve: Serve, redis: Redis) -> None:
    """A process that others took for dead registers its people anew at its next beat, and they are online again."""
    async with serve(**SOON) as server, guest(server, "8", CHANNEL) as listener, guest(server, "7"):
        assert await listener.data() == ONLINE
        book = PresenceStore(redis, group_of)
        await book.remove_processes({server.live.process_id: 1_700_000_000_000})
        await book.expire_departed(grace=0)
        await away(listener)
        await Processes(redis, b"process1", deadline=20).remove([server.live.process_id])
        assert await listener.data() == ONLINE


async def test_a_process_is_on_the_list_until_it_stops(serve: Serve, redis: Redis) -> None:
    """A process is known before anybody can be registered at it, and no longer once it has stopped in good order."""
    async with serve(**SOON) as server:
        assert await commands(redis).zscore(PROCESSES_KEY, server.live.process_id) is not None
    assert await commands(redis).zscore(PROCESSES_KEY, server.live.process_id) is None


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_a_subscription_begins_with_how_things_stand(server: LiveServer, packed: bool) -> None:
    """The subscribe result carries the present state; a channel without one has an empty result."""
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("8")
        answer = await client.ask("subscribe", channel=CHANNEL)
        assert answer["subscribe"] == {"data": {"online": False, "last_seen": None}}
        own = await client.ask("subscribe", channel="presence:8")
        assert own["subscribe"] == {"data": {"online": True, "last_seen": None}}
        assert (await client.ask("subscribe", channel="photo:5"))["subscribe"] == {}


async def test_a_change_while_subscribing(server: LiveServer) -> None:
    """What changes between the look at the state and the first message is not missed: the state is read again."""
    gate = server.authorizer.gate = asyncio.Event()
    async with BareClient.to(server.url) as client, BareClient.to(server.url) as other:
        await client.connect("8")
        await client.send({"id": 50, "subscribe": {"channel": CHANNEL}})
        await eventually(lambda: server.authorizer.asked == 1)
        gate.set()
        gate.clear()
        await eventually(
            lambda: server.authorizer.asked == 2
        )  # it has been read that 7 is away, and the topic is heard
        await other.connect("7")
        server.authorizer.gate = None
        assert "subscribe" in await other.ask("subscribe", channel=CHANNEL)  # so what was said before has been heard
        gate.set()
        assert (await client.reply(50))["subscribe"]["data"]["online"] is True
        assert await client.quiet() == []


async def test_leave_that_ends_while_subscribing(server: LiveServer) -> None:
    """A topic that is closed while somebody subscribes is not slipped past."""
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
        assert await other.data() == {}  # so the order before it has been heard
        gate.set()
        assert (await client.reply(50))["error"]["code"] == 103


async def test_only_the_owner_goes_on_hearing(server: LiveServer) -> None:
    """A topic that becomes its owner's alone ends for all others within a second."""
    async with guest(server, "8", CHANNEL) as other, guest(server, "7", CHANNEL) as owner:
        assert await other.data() == ONLINE
        await LivePublisher(server.redis, group_of).restrict_topic(TOPIC)
        async with asyncio.timeout(1):
            push = await other.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == (CHANNEL, 2000)
        await LivePublisher(server.redis, group_of).to_topic(TOPIC, b'"still here"')
        assert await owner.data() == "still here"
        assert await other.quiet() == []


async def test_one_topic_of_an_owner_is_revoked(server: LiveServer) -> None:
    """Who may not know any longer whether somebody is online goes on hearing what else is theirs."""
    async with guest(server, "8", "photo:7", CHANNEL) as client:
        publisher = LivePublisher(server.redis, group_of)
        await publisher.to_users([8], control_body(control="revoke", owner=7, topic=TOPIC))
        async with asyncio.timeout(1):
            push = await client.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == (CHANNEL, 2000)
        await publisher.to_topic("photo:7", b"{}")
        assert (await client.push())["channel"] == "photo:7"


async def test_an_empty_engine_is_filled_again(serve: Serve, redis: Redis) -> None:
    """After a loss of all data people are online again with the next renewal."""
    async with serve(**SOON, renewal_interval=0.1) as server, guest(server, "7"):
        await commands(redis).flushall()
        book = PresenceStore(redis, group_of)

        async def known() -> bool:
            return (await book.read(7)).online

        await eventually(known)


def test_the_topic_s_channel_is_the_scripts() -> None:
    """The topic that listeners are granted is the one on which the scripts publish."""
    assert topic_channel(TOPIC) == b"topic:presence:{7}:0000000000000007"
