"""The live endpoint with Protobuf: how it is selected, and what closes it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from channels.protocol.messages import RawJson
from tests.integration.channels.conftest import Serve
from tests.support.codec_peers import ProtobufPeer
from tests.support.eventually import DEADLINE
from tests.support.live import LiveServer

pytestmark = pytest.mark.engines

PEER = ProtobufPeer()
CONNECT = PEER.write({"id": 1, "connect": {"token": "7"}})


async def receive(socket: aiohttp.ClientWebSocketResponse) -> list[Any]:
    """Return the messages of the next frame, which must be binary."""
    async with asyncio.timeout(DEADLINE):
        return PEER.read(await socket.receive_bytes())


@pytest.mark.parametrize(
    ("query", "protocols"),
    [("", ["centrifuge-protobuf"]), ("?format=protobuf", []), ("?cf_protocol=protobuf", [])],
)
async def test_chosen(server: LiveServer, query: str, protocols: list[str]) -> None:
    """A client selects Protobuf by its subprotocol or in the URL, and receives results and publications in it."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.url + query, protocols=protocols) as socket,
    ):
        await socket.send_bytes(CONNECT + PEER.write({"id": 2, "subscribe": {"channel": "photo:1"}}))
        connected, subscribed = await receive(socket) + await receive(socket)
        assert connected["connect"]["subs"]["feed"]["recoverable"] is True
        assert subscribed == {"id": 2, "subscribe": {}}
        offset = await server.publish(server.redis, [7], "feed", {"n": 1})
        assert await receive(socket) == [{"push": {"channel": "feed", "pub": {"data": {"n": 1}, "offset": offset}}}]


async def test_keep_alive(serve: Serve) -> None:
    """A ping is one zero byte, and so is the pong that keeps the connection; without it the connection ends."""
    async with (
        serve(ping_interval=0.2, pong_deadline=0.2) as server,
        aiohttp.ClientSession() as http,
        http.ws_connect(server.url, protocols=["centrifuge-protobuf"]) as socket,
    ):
        await socket.send_bytes(CONNECT)
        await receive(socket)
        for _ in range(2):
            assert await socket.receive_bytes(timeout=DEADLINE) == b"\x00"
            await socket.send_bytes(b"\x00")
        assert await socket.receive_bytes(timeout=DEADLINE) == b"\x00"
        # The next ping may be due before the deadline of the pong has passed.
        while (message := await socket.receive(timeout=DEADLINE)).data == b"\x00":
            pass
        assert message.data == 3012


@pytest.mark.parametrize(
    ("fault", "data"),
    [
        ("text", '{"id":1,"connect":{"token":"7"}}'),
        ("a length beyond the frame", b"\xff\xff\xff\xff\x0f"),
        ("a document that is not JSON", PEER.write({"id": 2, "rpc": {"method": "a", "data": RawJson(b"{")}})),
    ],
)
async def test_bad_frames(server: LiveServer, fault: str, data: bytes | str) -> None:
    """A protocol error closes the connection with 3501, as with every codec."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.url, protocols=["centrifuge-protobuf"]) as socket,
    ):
        await socket.send_bytes(CONNECT)
        await receive(socket)
        await (socket.send_str(data) if isinstance(data, str) else socket.send_bytes(data))
        end = await socket.receive(timeout=DEADLINE)
        assert (end.data, end.extra) == (3501, "bad request")
