"""Refused requests of SDKs: the caller receives the error, and the connection stays open."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.clients import ErrorReply, Sdk, matching_events, wait_for_event
from tests.support.live import LiveServer

NOT_OFFERED: list[tuple[str, dict[str, Any], int]] = [
    ("publish", {"channel": "photo:5", "data": {"likes": 1000}}, 103),
    ("rpc", {"name": "dance", "data": {"tempo": 3}}, 104),
    ("history", {"channel": "photo:5", "limit": 10}, 108),
    ("presence", {"channel": "feed"}, 108),
    ("presence_stats", {"channel": "feed"}, 108),
]


async def test_not_offered(server: LiveServer, sdk: Sdk) -> None:
    """An unsupported request of a client fails with its error, and the client stays connected."""
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="connected")
        for method, params, code in NOT_OFFERED:
            with pytest.raises(ErrorReply) as custom_error_reply:
                await client.request(method, **params)
            assert (method, custom_error_reply.value.code) == (method, code)
        assert not matching_events(client, event="disconnected")
