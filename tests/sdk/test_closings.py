"""SDKs and the codes that connections are closed with: who comes back, and who stays away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest
from aiohttp import web

from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from channels.protocol import codes
from channels.protocol.codec import Codec
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.protocol.codes import Disconnect
from channels.protocol.messages import reply
from tests.sdk.clients import Sdk, tells, told
from tests.sdk.conftest import Serve
from tests.support.eventually import eventually
from tests.support.live import PATH, LiveServer, group_of
from tests.support.tcp_proxy import TcpProxy

OURS = sorted(
    {value for value in vars(codes).values() if isinstance(value, Disconnect) and value.code >= 3000},
    key=lambda value: value.code,
)
FINAL = (*range(3500, 4000), *range(4500, 5000))


async def test_a_process_that_stops(serve: Serve, sdk: Sdk) -> None:
    """When its process stops (3001), a client goes on with another one."""
    async with (
        serve() as first,
        serve() as second,
        TcpProxy.to(first.port) as proxy,
        sdk.open(proxy.address(first.url), "7") as client,
    ):
        await tells(client, event="subscribed", channel="feed")
        proxy.redirect_to(second.port)
        await first.live.close()
        await tells(client, event="connecting", code=3001, reason="shutdown")
        await tells(client, times=2, event="connected")
        await second.publish(second.redis, [7], "feed", {"n": 1})
        await tells(client, event="publication", channel="feed", data={"n": 1})


async def test_a_pong_that_does_not_come(serve: Serve, sdk: Sdk) -> None:
    """A client whose pong does not arrive in time is closed with 3012, and comes back."""
    async with (
        serve(ping_interval=0.3, pong_deadline=0.2, close_deadline=0.1) as server,
        TcpProxy.to(server.port) as proxy,
        sdk.open(proxy.address(server.url), "7") as client,
    ):
        await tells(client, event="subscribed", channel="feed")
        proxy.freeze_client_data()
        await tells(client, event="connecting", code=3012, reason="no pong")
        proxy.thaw()
        await tells(client, times=2, event="connected")


async def test_pings_are_answered(serve: Serve, sdk: Sdk) -> None:
    """A client answers pings for as long as it is connected, and nothing comes of it."""
    async with serve(ping_interval=0.2, pong_deadline=0.19) as server, sdk.open(server.url, "7") as client:
        await tells(client, event="subscribed", channel="notifications")
        sent = server.metrics.sent
        await eventually(lambda: server.metrics.sent >= sent + 3)
        assert not told(client, event="disconnected")
        assert len(told(client, event="connecting")) == 1


@pytest.mark.parametrize(
    ("session", "ending"), [(None, codes.FORCED), ("s7", codes.INVALID_TOKEN)], ids=["deleted", "signed out"]
)
async def test_a_person_who_is_gone(server: LiveServer, sdk: Sdk, session: str | None, ending: Disconnect) -> None:
    """A client whose person deleted the account (3503) or signed out (3500) stays away."""
    publisher = LivePublisher(server.redis, group_of)
    async with sdk.open(server.url, "7") as client:
        await tells(client, event="subscribed", channel="feed")
        await publisher.to_users([7], control_body(control="disconnect", session=session))
        await tells(client, event="disconnected", code=ending.code, reason=ending.reason)
        assert server.metrics.opened == 1


async def test_one_connection_too_many(serve: Serve, sdk: Sdk) -> None:
    """A client beyond a person's limit stays away (3504), and the one that was there is not disturbed."""
    async with serve(connections_per_user=1) as server, sdk.open(server.url, "7") as first:
        await tells(first, event="connected")
        async with sdk.open(server.url, "7") as second:
            await tells(second, event="disconnected", code=3504, reason="connection limit")
        assert not told(first, event="disconnected")
        assert server.live.connections == 1


async def test_every_code(websocket_sdk: Sdk) -> None:
    """Each code that connections are closed with does to a client what its range says, and tells it the reason."""
    assert {3001, 3012, 3503} < {ending.code for ending in OURS}
    async with closing_server() as url:
        for ending in OURS:
            async with websocket_sdk.open(f"{url}?code={ending.code}&reason={quote(ending.reason)}", "7") as client:
                moved = "disconnected" if ending.code in FINAL else "connecting"
                await tells(client, event=moved, code=ending.code, reason=ending.reason)


@asynccontextmanager
async def closing_server() -> AsyncIterator[str]:
    """Answer a connect and close at once with the code and the reason of the address, for the time of the block."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        binary = request.headers.get("Sec-WebSocket-Protocol") == ProtobufCodec.name
        codec: Codec = ProtobufCodec() if binary else JsonCodec()
        socket = web.WebSocketResponse(protocols=[codec.name])
        await socket.prepare(request)
        (command, *_) = codec.decode((await socket.receive()).data)
        message = codec.encode(reply(command.id, "connect", {"client": "c", "version": "v", "ping": 25, "pong": True}))
        await (socket.send_bytes(message) if codec.binary else socket.send_str(message.decode()))
        await socket.close(code=int(request.query["code"]), message=request.query["reason"].encode())
        return socket

    app = web.Application()
    app.router.add_get(PATH, handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()
