"""SDKs and what they may ask beside their streams: history, presence, and calls."""

from __future__ import annotations

import pytest

from tests.sdk.clients import Sdk, Unanswered, tells
from tests.support.live import LiveServer


async def test_history(server: LiveServer, sdk: Sdk) -> None:
    """A client reads what is kept from either end, what came after a position, or that position alone."""
    for number in range(5):
        server.streams.append(7, "feed", b'{"n":%d}' % number)
    async with sdk.open(server.url, "7") as client:
        await tells(client, event="connected")

        async def numbers(**params: object) -> list[int]:
            answer = await client.ask("history", channel="feed", **params)
            assert (answer["offset"], answer["epoch"]) == (1005, "e1")
            assert all(1001 + item["data"]["n"] == item["offset"] for item in answer["publications"])
            return [item["data"]["n"] for item in answer["publications"]]

        assert await numbers() == []
        assert await numbers(limit=2) == [0, 1]
        assert await numbers(limit=2, reverse=True) == [4, 3]
        assert await numbers(limit=-1) == [0, 1, 2, 3, 4]
        assert await numbers(limit=2, since={"offset": 1002, "epoch": "e1"}) == [2, 3]
        with pytest.raises(Unanswered) as custom_error_reply:
            await numbers(limit=2, since={"offset": 1002, "epoch": "another"})
        assert custom_error_reply.value.code == 112


async def test_presence(server: LiveServer, sdk: Sdk) -> None:
    """A client is told who is present, or how many."""
    async with sdk.open(server.url, "7") as client:
        await tells(client, event="connected")
        assert await client.ask("presence", channel="presence:3") == {"clients": {"3": "3", "4": "4"}}
        assert await client.ask("presence_stats", channel="presence:3") == {"num_clients": 2, "num_users": 2}


async def test_calls(server: LiveServer, sdk: Sdk) -> None:
    """A call is answered with its document, or with the code of the operation's own error."""
    async with sdk.open(server.url, "7") as client:
        await tells(client, event="connected")
        document = {"photo_id": "0000000000001", "text": "ümlaut 🙂", "list": [1.5, None, {"deep": True}]}
        assert await client.ask("rpc", name="echo", data=document) == {"data": {"user": 7, "data": document}}
        with pytest.raises(Unanswered) as custom_error_reply:
            await client.ask("rpc", name="nonsense", data={})
        assert custom_error_reply.value.code == 104
