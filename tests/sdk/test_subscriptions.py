"""Subscriptions of SDKs: publications, refusals, ends, resubscribing."""

from __future__ import annotations

import pytest

from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from tests.sdk.clients import Sdk, matching_events, published, wait_for_event
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.live import LiveServer, group_of
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def publisher(server: LiveServer) -> LivePublisher:
    """The publisher that workers use."""
    return LivePublisher(server.redis, group_of)


async def test_a_photo(server: LiveServer, sdk: Sdk, publisher: LivePublisher) -> None:
    """A client receives a photo's publications until it unsubscribes."""
    async with sdk.open(server.url, "7") as client:
        await client.subscribe("photo:5")
        await wait_for_event(client, event="subscribed", channel="photo:5")
        await publisher.to_topic("photo:5", b'{"likes":1}')
        await eventually(lambda: published(client, "photo:5") == [{"likes": 1}])
        await client.unsubscribe("photo:5")
        await wait_for_event(client, event="unsubscribed", channel="photo:5", code=0)
        await client.subscribe("photo:6")
        await wait_for_event(client, event="subscribed", channel="photo:6")
        for number in (5, 6):
            await publisher.to_topic(f"photo:{number}", b'{"likes":2}')
        await eventually(lambda: published(client, "photo:6") == [{"likes": 2}])
        assert published(client, "photo:5") == [{"likes": 1}]


async def test_refusals(server: LiveServer, sdk: Sdk) -> None:
    """A client ends a subscription to an unknown, forbidden or already subscribed channel."""
    server.authorizer.blocked.add((666, 7))
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="subscribed", channel="feed")
        for channel, code in (("weather", 102), ("photo:666", 103), ("feed", 105), ("p" * 256, 107)):
            await client.subscribe(channel)
            await wait_for_event(client, event="unsubscribed", channel=channel, code=code)
        await client.subscribe("photo:5")
        await wait_for_event(client, event="subscribed", channel="photo:5")
        assert not matching_events(client, event="disconnected")


async def test_resubscribing_after_a_cut(server: LiveServer, sdk: Sdk, publisher: LivePublisher) -> None:
    """After an interruption a client subscribes again by itself."""
    async with TcpProxy.to(server.port) as proxy, sdk.open(proxy.address(server.url), "7") as client:
        await client.subscribe("photo:5")
        await wait_for_event(client, event="subscribed", channel="photo:5")
        await proxy.cut()
        await wait_for_event(client, times=2, event="subscribed", channel="photo:5")
        await publisher.to_topic("photo:5", b'{"likes":1}')
        await eventually(lambda: published(client, "photo:5") == [{"likes": 1}])


async def test_resubscribing_after_a_loss_within_the_service(
    server: LiveServer, sdk: Sdk, publisher: LivePublisher
) -> None:
    """A subscription that may have missed something ends with 2500, and the client subscribes again by itself."""
    async with sdk.open(server.url, "7") as client:
        await client.subscribe("photo:5")
        await wait_for_event(client, event="subscribed", channel="photo:5")
        await commands(server.redis).client_kill_filter(_type="pubsub")
        await wait_for_event(client, event="subscribing", channel="photo:5", code=2500)
        await wait_for_event(client, times=2, event="subscribed", channel="photo:5")
        await publisher.to_topic("photo:5", b'{"likes":1}')
        await eventually(lambda: published(client, "photo:5") == [{"likes": 1}])


async def test_ended_by_a_block(server: LiveServer, sdk: Sdk, publisher: LivePublisher) -> None:
    """A subscription whose permission is revoked ends with 2000, and the client does not subscribe again."""
    async with sdk.open(server.url, "7") as client:
        await client.subscribe("photo:5")
        await wait_for_event(client, event="subscribed", channel="photo:5")
        server.authorizer.blocked.add((5, 7))
        await publisher.to_users([7], control_body(control="revoke", owner=5))
        await wait_for_event(client, event="unsubscribed", channel="photo:5", code=2000, reason="server unsubscribe")
        assert server.authorizer.asked == 1
