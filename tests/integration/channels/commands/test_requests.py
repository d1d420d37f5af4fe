"""What a client may ask beside its streams: history, presence, and calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.bus.addressing import registry_key
from tests.integration.channels.conftest import Serve
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.live import BareClient, LiveServer, group_of

pytestmark = pytest.mark.engines


async def numbers(client: BareClient, **params: Any) -> list[int]:
    """Return the numbers that `history` of the feed tells."""
    answer = await client.ask("history", channel="feed", **params)
    return [item["data"]["n"] for item in answer["history"]["publications"]]


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_history(server: LiveServer, packed: bool) -> None:
    """History gives the oldest of what is kept, the newest in reverse, what came after a position, or that alone."""
    for number in range(5):
        server.streams.append(7, "feed", b'{"n":%d}' % number)
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("7")
        assert await numbers(client, limit=2) == [0, 1]
        assert await numbers(client, limit=2, reverse=True) == [4, 3]
        assert await numbers(client, limit=-1) == [0, 1, 2, 3, 4]
        assert await numbers(client, limit=2, since={"epoch": "e1", "offset": 1002}) == [2, 3]
        answer = await client.ask("history", channel="feed")
        assert answer["history"] == {"publications": [], "epoch": "e1", "offset": 1005}


async def test_history_that_is_gone(server: LiveServer) -> None:
    """A position of another history is error 112, a channel without history error 108."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        answer = await client.ask("history", channel="feed", limit=1, since={"epoch": "old", "offset": 1})
        assert answer["error"] == {"code": 112, "message": "unrecoverable position"}
        assert (await client.ask("history", channel="photo:1", limit=1))["error"]["code"] == 108


async def test_presence(server: LiveServer) -> None:
    """Presence tells of people, not of their devices; who may not know, and channels without, get an error."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        answer = await client.ask("presence", channel="presence:3")
        assert answer["presence"]["presence"] == {
            "3": {"user": "3", "client": "3"},
            "4": {"user": "4", "client": "4"},
        }
        stats = await client.ask("presence_stats", channel="presence:3")
        assert stats["presence_stats"] == {"num_clients": 2, "num_users": 2}
        assert (await client.ask("presence", channel="feed"))["error"]["code"] == 108


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_calls(server: LiveServer, packed: bool) -> None:
    """A call is carried out for the person who is connected, and its error comes with its own code and words."""
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("7")
        answer = await client.ask("rpc", method="echo", data={"a": [1, None]})
        assert answer["rpc"]["data"] == {"user": 7, "data": {"a": [1, None]}}
        refused = await client.ask("rpc", method="refuse")
        assert refused["error"] == {"code": 429, "message": "come back later", "temporary": True}
        assert (await client.ask("rpc", method="nonsense"))["error"]["code"] == 104


async def test_order(server: LiveServer) -> None:
    """Commands behind a question that takes its time wait for it, and are then done in their order."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        server.authorizer.gate = asyncio.Event()
        await client.send({"id": 5, "subscribe": {"channel": "photo:1"}}, {"id": 6, "ping": {}})
        await client.send({"id": 7, "unsubscribe": {"channel": "photo:1"}})
        await client.send({"id": 8, "ping": {}})
        server.authorizer.gate.set()
        seen = [message["id"] for _ in range(4) for message in [await client.any()]]
        assert seen == [5, 6, 7, 8]


async def test_leaving_in_the_middle(serve: Serve) -> None:
    """Who is lost while being signed in is not kept as somebody who is here."""
    async with serve() as server:
        server.authenticator.gate = asyncio.Event()
        async with BareClient.to(server.url) as client:
            await client.send({"id": 1, "connect": {"token": "7"}})
            await eventually(lambda: server.authenticator.asked)
            (connection,) = server.live.hub.all_connections()
            connection.transport.abort()
            await eventually(lambda: server.live.connections == 0)
        asked = server.streams.reads
        server.authenticator.gate.set()

        async def joined_and_left() -> bool:
            return server.streams.reads > asked and not await commands(server.redis).hlen(registry_key(group_of(7)))

        await eventually(joined_and_left)
