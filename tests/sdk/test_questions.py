"""SDKs and questions that are refused: the program gets the error, and the connection stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.clients import Sdk, Unanswered, tells, told
from tests.support.live import LiveServer

NOT_OFFERED: list[tuple[str, dict[str, Any], int]] = [
    ("publish", {"channel": "photo:5", "data": {"likes": 1000}}, 103),
    ("rpc", {"name": "dance", "data": {"tempo": 3}}, 104),
    ("history", {"channel": "photo:5", "limit": 10}, 108),
    ("presence", {"channel": "feed"}, 108),
    ("presence_stats", {"channel": "feed"}, 108),
]


async def test_not_offered(server: LiveServer, sdk: Sdk) -> None:
    """What is not offered, or not of this channel, is answered with its error, and whoever asked can go on."""
    async with sdk.open(server.url, "7") as client:
        await tells(client, event="connected")
        for method, params, code in NOT_OFFERED:
            with pytest.raises(Unanswered) as custom_error_reply:
                await client.ask(method, **params)
            assert (method, custom_error_reply.value.code) == (method, code)
        assert not told(client, event="disconnected")
