"""The streams of a connection in SDKs: publications, interruptions, recovery."""

from __future__ import annotations

from tests.sdk.clients import Sdk, matching_events, published, wait_for_event
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.live import LiveServer
from tests.support.tcp_proxy import TcpProxy

STREAMS = ("feed", "notifications")


async def test_streams(server: LiveServer, sdk: Sdk) -> None:
    """A client with a valid token is subscribed to both streams by the server and receives publications."""
    async with sdk.open(server.url, "7") as client:
        for number, stream in enumerate(STREAMS, start=1):
            await wait_for_event(client, event="subscribed", channel=stream, was_recovering=False)
            document = {"n": number, "text": 'ümlaut, "quote", 🙂', "nothing": None, "list": [1.5, True]}
            offset = await server.publish(server.redis, [7], stream, document)
            await wait_for_event(client, event="publication", channel=stream, data=document, offset=offset)
        assert len(matching_events(client, event="connected")) == 1
        assert [event["event"] for event in client.events[:2]] == ["connecting", "connected"]


async def test_recovery_after_a_cut(server: LiveServer, sdk: Sdk) -> None:
    """After its connection was cut a client reconnects by itself, and receives every publication once."""
    async with TcpProxy.to(server.port) as proxy, sdk.open(proxy.address(server.url), "7") as client:
        await wait_for_event(client, event="subscribed", channel="notifications")
        await server.publish(server.redis, [7], "feed", {"n": 1})
        await eventually(lambda: published(client, "feed") == [{"n": 1}])
        proxy.freeze()
        await proxy.cut()
        for number in (2, 3):
            await server.publish(server.redis, [7], "feed", {"n": number})
        await server.publish(server.redis, [7], "notifications", {"n": 10})
        proxy.thaw()
        for stream in STREAMS:
            await wait_for_event(client, event="subscribed", channel=stream, was_recovering=True, recovered=True)
        await server.publish(server.redis, [7], "feed", {"n": 4})
        await eventually(lambda: {"n": 4} in published(client, "feed"))
        assert published(client, "feed") == [{"n": number} for number in (1, 2, 3, 4)]
        assert published(client, "notifications") == [{"n": 10}]
        offsets = [event["offset"] for event in matching_events(client, event="publication", channel="feed")]
        assert offsets == sorted(set(offsets))


async def test_a_position_that_is_lost(server: LiveServer, sdk: Sdk) -> None:
    """If recovery is not possible, the client learns that, and continues from the new position."""
    async with TcpProxy.to(server.port) as proxy, sdk.open(proxy.address(server.url), "7") as client:
        await wait_for_event(client, event="subscribed", channel="feed")
        proxy.freeze()
        await proxy.cut()
        await server.publish(server.redis, [7], "feed", {"n": 1})
        server.streams.epoch = "e2"
        proxy.thaw()
        await wait_for_event(client, event="subscribed", channel="feed", was_recovering=True, recovered=False)
        await server.publish(server.redis, [7], "feed", {"n": 2})
        await eventually(lambda: published(client, "feed") == [{"n": 2}])
        await proxy.cut()
        await wait_for_event(client, event="subscribed", channel="feed", was_recovering=True, recovered=True)
        assert published(client, "feed") == [{"n": 2}]


async def test_a_gap_within_the_service(server: LiveServer, sdk: Sdk) -> None:
    """A client with an unrecoverable gap is closed with 3010, reconnects, and learns that it has to refetch."""
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="subscribed", channel="notifications")
        server.streams.epoch = "e2"
        await commands(server.redis).client_kill_filter(_type="pubsub")
        await wait_for_event(client, event="connecting", code=3010, reason="insufficient state")
        await wait_for_event(client, event="subscribed", channel="feed", was_recovering=True, recovered=False)


async def test_documents_of_any_size(server: LiveServer, sdk: Sdk) -> None:
    """Documents of any size arrive completely, live and recovered, however their length is encoded in frames."""
    documents = [{"text": "x" * size} for size in (1, 110, 200, 20_000, 100_000)]
    async with TcpProxy.to(server.port) as proxy, sdk.open(proxy.address(server.url), "7") as client:
        await wait_for_event(client, event="subscribed", channel="notifications")
        for document in documents:
            await server.publish(server.redis, [7], "feed", document)
        await eventually(lambda: published(client, "feed") == documents)
        proxy.freeze()
        await proxy.cut()
        for document in documents:
            await server.publish(server.redis, [7], "feed", document)
        proxy.thaw()
        await eventually(lambda: published(client, "feed") == documents * 2)
