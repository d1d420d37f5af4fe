"""The published Python client of the protocol, unmodified, against the live endpoint."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler

from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from tests.integration.channels.conftest import Serve
from tests.support.eventually import eventually
from tests.support.live import LiveServer, group_of
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.engines


class Diary(ClientEventHandler, SubscriptionEventHandler):
    """Write down what a client is told, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.numbers: list[int] = []

    async def on_connected(self, ctx: Any) -> None:
        """Note a connection."""
        self.events.append(("connected",))

    async def on_disconnected(self, ctx: Any) -> None:
        """Note an end."""
        self.events.append(("disconnected", ctx.code, ctx.reason))

    async def on_connecting(self, ctx: Any) -> None:
        """Note an attempt."""
        self.events.append(("connecting", ctx.code))

    async def on_subscribed(self, ctx: Any) -> None:
        """Note a subscription, and whether it recovered."""
        self.events.append(("subscribed", ctx.channel, ctx.was_recovering, ctx.recovered))

    async def on_unsubscribed(self, ctx: Any) -> None:
        """Note the end of a subscription."""
        self.events.append(("unsubscribed", getattr(ctx, "code", None)))

    async def on_error(self, ctx: Any) -> None:
        """Note an error."""
        self.events.append(("error", getattr(ctx.error, "code", ctx.code)))

    async def on_publication(self, ctx: Any) -> None:
        """Note a publication."""
        self.numbers.append(ctx.pub.data["n"])


@asynccontextmanager
async def sdk(url: str, get_token: Callable[[], Awaitable[str]]) -> AsyncIterator[tuple[Client, Diary]]:
    """Connect a client for the time of the block."""
    diary = Diary()
    client = Client(url, events=diary, get_token=get_token, min_reconnect_delay=0.01, max_reconnect_delay=0.05)
    await client.connect()
    try:
        yield client, diary
    finally:
        await client.disconnect()


async def seven() -> str:
    """Return a token of person 7."""
    return "7"


async def test_streams(server: LiveServer) -> None:
    """The client connects, is subscribed to both streams, and hears publications."""
    async with sdk(server.url, seven) as (client, diary):
        await client.ready()
        await eventually(lambda: len(diary.events) >= 4)
        assert [event[1] for event in diary.events if event[0] == "subscribed"] == ["feed", "notifications"]
        await server.publish(server.redis, [7], "feed", {"n": 1})
        await server.publish(server.redis, [7], "notifications", {"n": 2})
        await eventually(lambda: diary.numbers == [1, 2])


async def test_recovery_after_a_cut(server: LiveServer) -> None:
    """After its connection was cut, the client comes back by itself and has missed nothing and repeated nothing."""
    async with TcpProxy.to(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        async with sdk(url, seven) as (client, diary):
            await client.ready()
            await server.publish(server.redis, [7], "feed", {"n": 1})
            await eventually(lambda: diary.numbers == [1])
            proxy.freeze()
            await proxy.cut()
            for number in (2, 3):
                await server.publish(server.redis, [7], "feed", {"n": number})
            proxy.thaw()
            await eventually(lambda: ("subscribed", "feed", True, True) in diary.events)
            await server.publish(server.redis, [7], "feed", {"n": 4})
            await eventually(lambda: diary.numbers[-1] == 4)
            assert diary.numbers == [1, 2, 3, 4]


async def test_comes_back_after_insufficient_state(server: LiveServer) -> None:
    """A client that is closed because its gap cannot be told comes back and learns that it must fetch anew."""
    async with sdk(server.url, seven) as (client, diary):
        await client.ready()
        await eventually(lambda: len(diary.events) >= 4)
        server.streams.epoch = "e2"
        await server.redis.client_kill_filter(_type="pubsub")
        await eventually(lambda: ("subscribed", "feed", True, False) in diary.events)


async def test_subscription(server: LiveServer) -> None:
    """The client subscribes to a photo, hears it, is refused another, and unsubscribes."""
    server.authorizer.blocked.add((666, 7))
    publisher = LivePublisher(server.redis, group_of)
    async with sdk(server.url, seven) as (client, _):
        heard, refused = Diary(), Diary()
        subscription = client.new_subscription("photo:5", events=heard)
        await subscription.subscribe()
        await subscription.ready()
        await publisher.to_topic("photo:5", b'{"n":1}')
        await eventually(lambda: heard.numbers == [1])
        await client.new_subscription("photo:666", events=refused).subscribe()
        await eventually(lambda: ("unsubscribed", 103) in refused.events)
        await subscription.unsubscribe()
        await eventually(lambda: heard.events[-1][0] == "unsubscribed")


async def test_subscription_after_a_loss(server: LiveServer) -> None:
    """The client subscribes again by itself after a loss on the way from Redis, and gives up after a block."""
    publisher = LivePublisher(server.redis, group_of)
    async with sdk(server.url, seven) as (client, _):
        diary = Diary()
        subscription = client.new_subscription("photo:5", events=diary, min_resubscribe_delay=0.01)
        await subscription.subscribe()
        await subscription.ready()
        await server.redis.client_kill_filter(_type="pubsub")
        await eventually(lambda: sum(event[0] == "subscribed" for event in diary.events) == 2)
        await publisher.to_topic("photo:5", b'{"n":1}')
        await eventually(lambda: diary.numbers == [1])
        server.authorizer.blocked.add((5, 7))
        await publisher.to_users([7], control_body(control="revoke", owner=5))
        await eventually(lambda: diary.events[-1] == ("unsubscribed", 2000))


async def test_token_expired(server: LiveServer) -> None:
    """A client whose first token has expired fetches another one (109) and connects."""
    server.authenticator.expired.add("7:old")
    tokens = itertools.chain(["7:old"], itertools.repeat("7:new"))

    async def next_token() -> str:
        return next(tokens)

    async with sdk(server.url, next_token) as (client, diary):
        await client.ready()
        assert ("error", 109) in diary.events


async def test_refresh(serve: Serve) -> None:
    """The client renews its token before the end and stays connected."""
    async with serve(expiry_grace=0.5) as server:
        server.authenticator.lifetime = 1.2
        async with sdk(server.url, seven) as (client, diary):
            await client.ready()
            server.authenticator.lifetime = 3600
            await eventually(lambda: server.authenticator.asked == 2)
            await asyncio.sleep(1.0)  # beyond the first token's end and grace: nothing is waited for
            assert [event for event in diary.events if event[0] in ("connecting", "disconnected")] == [
                ("connecting", 0)
            ]


async def test_invalid_token(server: LiveServer) -> None:
    """A client with a token that is none gives up."""

    async def nonsense() -> str:
        return "nonsense"

    async with sdk(server.url, nonsense) as (_, diary):
        await eventually(lambda: diary.events[-1] == ("disconnected", 3500, "invalid token"))
