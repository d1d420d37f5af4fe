"""Routes of the live layer: what they pass on to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from channels.live import Live
from server.edge.api_request import ADDRESS
from server.edge.authentication import RequestAuthenticator
from server.identity.tokens import AccessTokens
from server.live.routes import WEBSOCKET, LiveRoutes


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.1", "addr:203.0.113.1"),
        ("2001:db8:1:2::1", "addr:2001:db8:1:2::"),
        ("2001:db8:1:2:3:4:5:6", "addr:2001:db8:1:2::"),
    ],
)
async def test_connections_are_counted_by_the_network_of_an_ipv6_client(address: str, counted: str) -> None:
    """A client cannot exceed the limit of connections by using many addresses of its network."""
    seen: list[str] = []

    async def handle(_request: web.Request, address: str) -> web.StreamResponse:
        seen.append(address)
        return web.Response()

    streaming = SimpleNamespace(sse=handle, http_stream=handle, emulation=handle, preflight=handle)
    live = cast(Live, SimpleNamespace(handle=handle, streaming=streaming))
    routes = LiveRoutes(live, RequestAuthenticator(AccessTokens(bytes(32), ttl=900))).routes()
    handler: Any = next(route.handler for route in routes if route.path == WEBSOCKET)
    request = make_mocked_request("GET", WEBSOCKET)
    request[ADDRESS] = address
    await handler(request)
    assert seen == [counted]
