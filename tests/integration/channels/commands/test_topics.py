"""Channels that clients subscribe to: authorization, delivery, limits and revocation."""

from __future__ import annotations

import asyncio

import pytest

from channels.bus.addressing import topic_channel
from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from tests.integration.channels.conftest import Serve
from tests.support.driver_commands import commands
from tests.support.eventually import PROMPTLY, eventually
from tests.support.live import BareClient, LiveServer, group_of

pytestmark = pytest.mark.engines


@pytest.fixture
def publisher(server: LiveServer) -> LivePublisher:
    """A publisher in another process."""
    return LivePublisher(server.redis, group_of)


async def receivers(server: LiveServer, topic: str) -> int:
    """Return how many processes are subscribed to a topic."""
    reply = await commands(server.redis).pubsub_numsub(topic_channel(topic))
    return int(reply[0][1])


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_subscribe(server: LiveServer, publisher: LivePublisher, packed: bool) -> None:
    """A subscriber receives the topic's messages from the reply until it unsubscribes."""
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("7")
        assert (await client.request("subscribe", channel="photo:5"))["subscribe"] == {}
        await publisher.to_topic("photo:5", b'{"likes":3}')
        assert await client.push() == {"channel": "photo:5", "pub": {"data": {"likes": 3}}}
        assert (await client.request("unsubscribe", channel="photo:5"))["unsubscribe"] == {}
        await publisher.to_topic("photo:5", b'{"likes":4}')
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert (await client.push())["channel"] == "feed"


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("nonsense", 102),
        ("photo:666", 103),
        ("feed", 105),
        ("photo:5", 105),
        ("", 107),
        ("x" * 256, 107),
        (7, 107),
    ],
)
async def test_rejections(server: LiveServer, channel: object, code: int) -> None:
    """Each reason to reject a subscription has its error code, and the connection continues."""
    server.authorizer.blocked.add((666, 7))
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.request("subscribe", channel="photo:5")
        assert (await client.request("subscribe", channel=channel))["error"]["code"] == code
        assert await client.quiet() == []


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("publish", 103),
        ("presence", 108),
        ("presence_stats", 108),
        ("sub_refresh", 108),
    ],
)
async def test_methods_that_are_not_offered(server: LiveServer, method: str, code: int) -> None:
    """An unsupported method gets an error reply, and never closes the connection."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        assert (await client.request(method, channel="feed"))["error"]["code"] == code


async def test_subscription_limit(serve: Serve) -> None:
    """A subscription beyond the limit gets error 106; after an unsubscribe it succeeds."""
    async with serve(subscriptions=2) as server, BareClient.to(server.url) as client:
        await client.connect("7")
        for number in (1, 2):
            assert "subscribe" in await client.request("subscribe", channel=f"photo:{number}")
        assert (await client.request("subscribe", channel="photo:3"))["error"]["code"] == 106
        await client.request("unsubscribe", channel="photo:1")
        assert "subscribe" in await client.request("subscribe", channel="photo:3")


async def test_one_subscription_for_many(serve: Serve) -> None:
    """A process subscribes to a topic once for all clients, and unsubscribes after the last."""
    async with serve(pubsub_deadline=0.5) as server:
        async with BareClient.to(server.url) as one:
            await one.connect("7")
            await one.request("subscribe", channel="photo:5")
            async with BareClient.to(server.url) as two:
                await two.connect("8")
                await two.request("subscribe", channel="photo:5")
                assert await receivers(server, "photo:5") == 1
            await eventually(lambda: server.live.connections == 1)
            await LivePublisher(server.redis, group_of).to_topic("photo:5", b"{}")
            assert await one.data() == {}

        async def silent() -> bool:
            return await receivers(server, "photo:5") == 0

        await eventually(silent)


async def test_closed_topic(server: LiveServer, publisher: LivePublisher) -> None:
    """When the subject of a topic is deleted, its subscriptions end for good."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.request("subscribe", channel="photo:5")
        await publisher.close_topic("photo:5")
        push = await client.push()
        assert push["channel"] == "photo:5"
        assert push["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}


async def test_block_ends_a_subscription(server: LiveServer, publisher: LivePublisher) -> None:
    """A block ends the blocked user's subscriptions to the blocker's topics at once, and no other."""
    async with BareClient.to(server.url) as blocked, BareClient.to(server.url) as other:
        for client, token in ((blocked, "7"), (other, "8")):
            await client.connect(token)
            await client.request("subscribe", channel="photo:5")
            await client.request("subscribe", channel="photo:6")
        await publisher.to_users([7], control_body(control="revoke", owner=5))
        async with asyncio.timeout(PROMPTLY):
            push = await blocked.push()
        assert (push["channel"], push["unsubscribe"]["code"]) == ("photo:5", 2000)
        for topic in ("photo:5", "photo:6"):
            await publisher.to_topic(topic, b"{}")
        assert (await blocked.push())["channel"] == "photo:6"
        assert [(await other.push())["channel"] for _ in range(2)] == ["photo:5", "photo:6"]


async def test_publications_do_not_cross_a_block(server: LiveServer, publisher: LivePublisher) -> None:
    """On a third user's topic, users on either side of a block do not receive each other's publications."""
    server.authorizer.blocked.add((7, 8))
    async with BareClient.to(server.url) as one, BareClient.to(server.url) as two, BareClient.to(server.url) as other:
        for client, token in ((one, "7"), (two, "8"), (other, "9")):
            await client.connect(token)
            await client.request("subscribe", channel="photo:5")
        for author_id in (7, 8, 9):
            await publisher.to_topic("photo:5", b"%d" % author_id, author_ids=[author_id])
        assert [await one.data() for _ in range(2)] == [7, 9]
        assert [await two.data() for _ in range(2)] == [8, 9]
        assert [await other.data() for _ in range(3)] == [7, 8, 9]


async def test_block_and_unblock_while_subscribed(server: LiveServer, publisher: LivePublisher) -> None:
    """A block separates two subscribers of a third user's topic at once, until it ends."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.request("subscribe", channel="photo:5")
        for number, blocked in enumerate((True, False)):
            await publisher.separate(8, 7, blocked=blocked)
            await server.publish(server.redis, [7], "feed", {"n": number})
            assert await client.data() == {"n": number}  # so the order before it has been received
            await publisher.to_topic("photo:5", b'"by 8"', author_ids=[8])
        assert await client.data() == "by 8"
        assert await client.quiet() == []


@pytest.mark.parametrize("blocked", [True, False])
async def test_block_while_its_list_is_read(server: LiveServer, publisher: LivePublisher, blocked: bool) -> None:
    """A block or unblock while a subscribe reads the user's blocks takes effect."""
    gate = server.authorizer.blocks_gate = asyncio.Event()
    pairs = {(8, 7)}
    server.authorizer.blocked = set() if blocked else set(pairs)
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.send({"id": 50, "subscribe": {"channel": "photo:5"}})
        await eventually(lambda: server.authorizer.asked)
        server.authorizer.blocked = pairs if blocked else set()
        await publisher.separate(8, 7, blocked=blocked)
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert (await client.push())["channel"] == "feed"  # so the order before it has been received
        gate.set()
        assert "subscribe" in await client.reply(50)
        await publisher.to_topic("photo:5", b'"by 8"', author_ids=[8])
        await publisher.to_topic("photo:5", b'"by 9"', author_ids=[9])
        assert await client.data() == ("by 9" if blocked else "by 8")


async def test_all_topics_of_an_owner_end_in_every_process(serve: Serve) -> None:
    """One order ends the subscriptions to all topics of an owner in all processes, except the owner's own."""
    async with (
        serve() as server,
        serve() as second,
        BareClient.to(server.url) as one,
        BareClient.to(second.url) as two,
        BareClient.to(second.url) as owner,
    ):
        for client, token in ((one, "7"), (two, "8"), (owner, "5")):
            await client.connect(token)
            await client.request("subscribe", channel="photo:5")
        await one.request("subscribe", channel="photo:6")
        publisher = LivePublisher(server.redis, group_of)
        await publisher.restrict_topics_of(5)
        for client in (one, two):
            assert (await client.push())["unsubscribe"]["code"] == 2000
        for number in (5, 6):
            await publisher.to_topic(f"photo:{number}", b"%d" % number)
        assert await owner.data() == 5
        assert await one.data() == 6
        await publisher.close_topics_of(5)
        assert (await owner.push())["unsubscribe"]["code"] == 2000
        assert await two.quiet() == []


async def test_an_owner_s_order_during_authorization(server: LiveServer, publisher: LivePublisher) -> None:
    """A subscribe that was authorized before an owner's topics ended is authorized once more."""
    gate = server.authorizer.gate = asyncio.Event()
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.send({"id": 50, "subscribe": {"channel": "photo:5"}})
        await eventually(lambda: server.authorizer.asked)
        server.authorizer.blocked.add((5, 7))
        await publisher.restrict_topics_of(5)
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert (await client.push())["channel"] == "feed"  # so the order before it has been received
        gate.set()
        assert (await client.reply(50))["error"]["code"] == 103


async def test_block_during_authorization(server: LiveServer, publisher: LivePublisher) -> None:
    """A block during the authorization of a subscribe takes effect."""
    gate = server.authorizer.gate = asyncio.Event()
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.send({"id": 50, "subscribe": {"channel": "photo:5"}})
        await eventually(lambda: server.authorizer.asked)
        server.authorizer.blocked.add((5, 7))
        await publisher.to_users([7], control_body(control="revoke", owner=5))
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert (await client.push())["channel"] == "feed"  # so the order before it has been received
        gate.set()
        assert (await client.reply(50))["error"]["code"] == 103
        await publisher.to_topic("photo:5", b"{}")
        assert await client.quiet() == []


async def test_dead_process_is_removed(server: LiveServer, publisher: LivePublisher) -> None:
    """A process without subscribers is removed from the registry by the next message to it."""
    from channels.bus.addressing import registry_key, user_field

    key = registry_key(group_of(7))
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await commands(server.redis).hset(key, user_field(7), b"deadbeef" + server.live.process_id)
        await commands(server.redis).hset(key, user_field(23), b"deadbeef")
        await publisher.to_users([7, 23], control_body(control="revoke", owner=5))
        assert await commands(server.redis).hgetall(key) == {user_field(7): server.live.process_id}
