"""The yardsticks: a bare WebSocket handler and a bare loop."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from bench.sockets.bare_server import PUBLISH, app_of
from bench.sockets.machine.bare_loop import median_turn
from bench.sockets.server import STATE
from server.identity.tokens import AccessTokens
from server.live.routes import WEBSOCKET
from storage.models import Role
from tests.support.eventually import eventually

TOKENS = AccessTokens(b"s" * 32, ttl=900)


async def test_the_bare_handler_verifies_the_token_and_delivers() -> None:
    """A client with a good token is connected, counted, and gets what is encode to its user until it leaves."""
    async with TestClient(TestServer(app_of(TOKENS))) as http:
        socket = await http.ws_connect(WEBSOCKET)
        await socket.send_json({"id": 1, "connect": {"token": TOKENS.issue(user_id=7, session="s", role=Role.USER)}})
        assert "connect" in await socket.receive_json()

        async def connections(count: int) -> bool:
            async with http.get(STATE) as response:
                return bool((await response.json())["connections"] == count)

        await eventually(lambda: connections(1))
        async with http.post(PUBLISH, json={"users": [7, 8], "text": "hello"}) as response:
            assert await response.text() == "1"
        assert await socket.receive_str() == "hello"
        await socket.close()
        await eventually(lambda: connections(0))


async def test_the_bare_handler_refuses_a_foreign_token() -> None:
    """The yardstick really verifies: a token signed with another key gets no reply."""
    foreign = AccessTokens(b"f" * 32, ttl=900).issue(user_id=7, session="s", role=Role.USER)
    async with TestClient(TestServer(app_of(TOKENS))) as http, http.ws_connect(WEBSOCKET) as socket:
        await socket.send_json({"id": 1, "connect": {"token": foreign}})
        assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


@pytest.mark.parametrize("sockets", [1, 20])
def test_a_turn_of_the_bare_loop_takes_time(sockets: int) -> None:
    """Every socket is read and written in each turn; otherwise the next turn would find nothing to read."""
    assert median_turn(sockets, 3) > 0


async def test_the_bare_handler_keeps_the_newer_connection_of_a_user() -> None:
    """When a user reconnects before the old connection has ended, the end of the old one changes nothing."""
    connect = {"id": 1, "connect": {"token": TOKENS.issue(user_id=7, session="s", role=Role.USER)}}
    async with TestClient(TestServer(app_of(TOKENS))) as http:
        sockets = [await http.ws_connect(WEBSOCKET) for _ in range(2)]
        for socket in sockets:
            await socket.send_json(connect)
            await socket.receive_json()
        await sockets[0].close()
        async with http.post(PUBLISH, json={"users": [7], "text": "hello"}) as response:
            assert await response.text() == "1"
        assert await sockets[1].receive_str() == "hello"
