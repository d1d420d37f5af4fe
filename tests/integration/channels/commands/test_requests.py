"""Requests apart from the streams: history, presence and rpc."""

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
    """Return the numbers in a history reply of the feed."""
    reply = await client.request("history", channel="feed", **params)
    return [item["data"]["n"] for item in reply["history"]["publications"]]


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_history(server: LiveServer, packed: bool) -> None:
    """History returns the oldest, the newest in reverse, those after a position, or the position alone."""
    for number in range(5):
        server.streams.append(7, "feed", b'{"n":%d}' % number)
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("7")
        assert await numbers(client, limit=2) == [0, 1]
        assert await numbers(client, limit=2, reverse=True) == [4, 3]
        assert await numbers(client, limit=-1) == [0, 1, 2, 3, 4]
        assert await numbers(client, limit=2, since={"epoch": "e1", "offset": 1002}) == [2, 3]
        reply = await client.request("history", channel="feed")
        assert reply["history"] == {"publications": [], "epoch": "e1", "offset": 1005}


async def test_history_that_is_gone(server: LiveServer) -> None:
    """A position of another epoch is error 112, a channel without history error 108."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        reply = await client.request("history", channel="feed", limit=1, since={"epoch": "old", "offset": 1})
        assert reply["error"] == {"code": 112, "message": "unrecoverable position"}
        assert (await client.request("history", channel="photo:1", limit=1))["error"]["code"] == 108


async def test_presence(server: LiveServer) -> None:
    """Presence lists users, not their devices; without permission, or for other channels, it is an error."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        reply = await client.request("presence", channel="presence:3")
        assert reply["presence"]["presence"] == {
            "3": {"user": "3", "client": "3"},
            "4": {"user": "4", "client": "4"},
        }
        stats = await client.request("presence_stats", channel="presence:3")
        assert stats["presence_stats"] == {"num_clients": 2, "num_users": 2}
        assert (await client.request("presence", channel="feed"))["error"]["code"] == 108


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_calls(server: LiveServer, packed: bool) -> None:
    """An rpc is executed for the connected user, and its error has the code and message of the operation."""
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("7")
        reply = await client.request("rpc", method="echo", data={"a": [1, None]})
        assert reply["rpc"]["data"] == {"user": 7, "data": {"a": [1, None]}}
        refused = await client.request("rpc", method="refuse")
        assert refused["error"] == {"code": 429, "message": "come back later", "temporary": True}
        assert (await client.request("rpc", method="nonsense"))["error"]["code"] == 104


async def test_order(server: LiveServer) -> None:
    """Commands after a slow request wait for it, and are then executed in order."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        server.authorizer.gate = asyncio.Event()
        await client.send({"id": 5, "subscribe": {"channel": "photo:1"}}, {"id": 6, "ping": {}})
        await client.send({"id": 7, "unsubscribe": {"channel": "photo:1"}})
        await client.send({"id": 8, "ping": {}})
        server.authorizer.gate.set()
        seen = [message["id"] for _ in range(4) for message in [await client.any()]]
        assert seen == [5, 6, 7, 8]


async def test_loss_while_connecting(serve: Serve) -> None:
    """A connection that is lost while it connects does not leave its user registered."""
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
