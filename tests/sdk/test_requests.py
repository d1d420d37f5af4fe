"""Requests of SDKs: history, presence and calls."""

from __future__ import annotations

import pytest

from tests.sdk.clients import ErrorReply, Sdk, wait_for_event
from tests.support.live import LiveServer


async def test_history(server: LiveServer, sdk: Sdk) -> None:
    """A client reads the history from either end or after a position, or only the current position."""
    for number in range(5):
        server.streams.append(7, "feed", b'{"n":%d}' % number)
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="connected")

        async def numbers(**params: object) -> list[int]:
            result = await client.request("history", channel="feed", **params)
            assert (result["offset"], result["epoch"]) == (1005, "e1")
            assert all(1001 + item["data"]["n"] == item["offset"] for item in result["publications"])
            return [item["data"]["n"] for item in result["publications"]]

        assert await numbers() == []
        assert await numbers(limit=2) == [0, 1]
        assert await numbers(limit=2, reverse=True) == [4, 3]
        assert await numbers(limit=-1) == [0, 1, 2, 3, 4]
        assert await numbers(limit=2, since={"offset": 1002, "epoch": "e1"}) == [2, 3]
        with pytest.raises(ErrorReply) as custom_error_reply:
            await numbers(limit=2, since={"offset": 1002, "epoch": "another"})
        assert custom_error_reply.value.code == 112


async def test_presence(server: LiveServer, sdk: Sdk) -> None:
    """A client receives the users that are present, or their number."""
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="connected")
        assert await client.request("presence", channel="presence:3") == {"clients": {"3": "3", "4": "4"}}
        assert await client.request("presence_stats", channel="presence:3") == {"num_clients": 2, "num_users": 2}


async def test_calls(server: LiveServer, sdk: Sdk) -> None:
    """The reply to a call has the result's document, or the code of the operation's error."""
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="connected")
        document = {"photo_id": "0000000000001", "text": "ümlaut 🙂", "list": [1.5, None, {"deep": True}]}
        assert await client.request("rpc", name="echo", data=document) == {"data": {"user": 7, "data": document}}
        with pytest.raises(ErrorReply) as custom_error_reply:
            await client.request("rpc", name="nonsense", data={})
        assert custom_error_reply.value.code == 104
