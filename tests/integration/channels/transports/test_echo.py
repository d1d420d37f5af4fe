"""The production WebSocket path against an independent client: messages come back unchanged, however they are split."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from tests.echo import PATH, echo_app
from tests.support.eventually import DEADLINE


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Return the URL of a running echo."""
    runner = web.AppRunner(echo_app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    await runner.cleanup()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1 << 20, 4 << 20])
async def test_messages_come_back(url: str, size: int) -> None:
    """Text and bytes of every length form come back unchanged."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        await socket.send_bytes(b"\xfe" * size)
        assert (await socket.receive_bytes()) == b"\xfe" * size
        await socket.send_str("ü" * (size // 2))
        assert (await socket.receive_str()) == "ü" * (size // 2)


async def test_ping(url: str) -> None:
    """A ping is answered with its payload."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as socket:
        await socket.ping(b"payload")
        response = await socket.receive()
        assert (response.type, response.data) == (aiohttp.WSMsgType.PONG, b"payload")


async def test_close(url: str) -> None:
    """A close frame is answered with its code, and then the connection ends."""
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(url)
        async with asyncio.timeout(DEADLINE):
            await socket.close(code=4321)
        assert socket.close_code == 4321


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}


async def test_handshake(url: str) -> None:
    """The handshake is answered as in RFC 6455, section 1.3, with names in any case and lists of tokens."""
    headers = GOOD | {"Upgrade": "WebSocket", "Connection": "keep-alive, upgrade"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        assert response.status == 101
        assert response.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert "Sec-WebSocket-Protocol" not in response.headers
        assert "Content-Length" not in response.headers


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "not base64 at all!!!!!!!"}, 400),
        ({"Sec-WebSocket-Protocol": "chat"}, 400),
    ],
)
async def test_bad_handshakes(url: str, changed: dict[str, str], status: int) -> None:
    """An invalid handshake is rejected, and an unsupported version is answered with the supported one."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=GOOD | changed) as response:
        assert response.status == status
        assert (response.headers.get("Sec-WebSocket-Version") == "13") == (status == 426)


async def test_data_behind_the_handshake(url: str) -> None:
    """A frame that arrives together with the handshake is not lost."""
    host, port = url.removeprefix("http://").partition("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = "".join(f"{name}: {value}\r\n" for name, value in GOOD.items())
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + b"\x81\x82\x00\x00\x00\x00hi")
    async with asyncio.timeout(DEADLINE):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4) == b"\x81\x02hi"
    writer.close()
