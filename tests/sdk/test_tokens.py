"""Tokens of SDKs: expired, renewed, invalid."""

from __future__ import annotations

import asyncio

from tests.sdk.clients import Sdk, matching_events, wait_for_event
from tests.sdk.conftest import Serve
from tests.support.eventually import eventually
from tests.support.live import LiveServer


async def test_an_expired_token(server: LiveServer, sdk: Sdk) -> None:
    """A client whose token has expired (109) fetches another one and connects."""
    server.authenticator.expired.add("7:old")
    async with sdk.open(server.url, "7:old", "7:new") as client:
        await wait_for_event(client, event="connected")
        assert matching_events(client, event="error", code=109)
        assert server.authenticator.asked == 2


async def test_an_invalid_token(server: LiveServer, sdk: Sdk) -> None:
    """A client with an invalid token gives up."""
    async with sdk.open(server.url, "nonsense") as client:
        await wait_for_event(client, event="disconnected", code=3500, reason="invalid token")
        assert not matching_events(client, event="connected")
        assert server.authenticator.asked == 1


async def test_a_token_is_renewed(serve: Serve, sdk: Sdk) -> None:
    """A client renews its token before it expires, and stays connected."""
    async with serve(expiry_grace=0.3) as server:
        server.authenticator.lifetime = 1.2
        async with sdk.open(server.url, "7:first", "7:second") as client:
            await wait_for_event(client, event="connected")
            server.authenticator.lifetime = 3600
            await eventually(lambda: server.authenticator.asked == 2)
            await asyncio.sleep(
                0.6
            )  # beyond the end and the grace period of the first token; there is no event to wait for
            assert {event["event"] for event in client.events[2:]} == {"subscribed"}
            assert server.live.connections == 1
