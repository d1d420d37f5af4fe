"""Close codes: the SDKs reconnect or stop as the code requires."""

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
from tests.sdk.clients import Sdk, matching_events, wait_for_event
from tests.sdk.conftest import Serve
from tests.support.eventually import eventually
from tests.support.live import PATH, LiveServer, group_of
from tests.support.tcp_proxy import TcpProxy

OUR_CODES = sorted(
    {value for value in vars(codes).values() if isinstance(value, Disconnect) and value.code >= 3000},
    key=lambda value: value.code,
)
FINAL = (*range(3500, 4000), *range(4500, 5000))


async def test_a_process_that_stops(serve: Serve, sdk: Sdk) -> None:
    """When its process stops (3001), a client reconnects to another one."""
    async with (
        serve() as first,
        serve() as second,
        TcpProxy.to(first.port) as proxy,
        sdk.open(proxy.address(first.url), "7") as client,
    ):
        await wait_for_event(client, event="subscribed", channel="feed")
        proxy.redirect_to(second.port)
        await first.live.close()
        await wait_for_event(client, event="connecting", code=3001, reason="shutdown")
        await wait_for_event(client, times=2, event="connected")
        await second.publish(second.redis, [7], "feed", {"n": 1})
        await wait_for_event(client, event="publication", channel="feed", data={"n": 1})


async def test_a_missing_pong(serve: Serve, sdk: Sdk) -> None:
    """A client whose pong does not arrive in time is closed with 3012 and reconnects."""
    async with (
        serve(ping_interval=0.3, pong_deadline=0.2, close_deadline=0.1) as server,
        TcpProxy.to(server.port) as proxy,
        sdk.open(proxy.address(server.url), "7") as client,
    ):
        await wait_for_event(client, event="subscribed", channel="feed")
        proxy.freeze_client_data()
        await wait_for_event(client, event="connecting", code=3012, reason="no pong")
        proxy.thaw()
        await wait_for_event(client, times=2, event="connected")


async def test_pings_are_answered(serve: Serve, sdk: Sdk) -> None:
    """A client answers pings as long as it is connected, and stays connected."""
    async with serve(ping_interval=0.2, pong_deadline=0.19) as server, sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="subscribed", channel="notifications")
        sent = server.metrics.sent
        await eventually(lambda: server.metrics.sent >= sent + 3)
        assert not matching_events(client, event="disconnected")
        assert len(matching_events(client, event="connecting")) == 1


@pytest.mark.parametrize(
    ("session", "ending"), [(None, codes.FORCED), ("s7", codes.INVALID_TOKEN)], ids=["deleted", "signed out"]
)
async def test_a_deleted_user_or_session(server: LiveServer, sdk: Sdk, session: str | None, ending: Disconnect) -> None:
    """A client whose user has deleted the account (3503) or signed out (3500) does not reconnect."""
    publisher = LivePublisher(server.redis, group_of)
    async with sdk.open(server.url, "7") as client:
        await wait_for_event(client, event="subscribed", channel="feed")
        await publisher.to_users([7], control_body(control="disconnect", session=session))
        await wait_for_event(client, event="disconnected", code=ending.code, reason=ending.reason)
        assert server.metrics.opened == 1


async def test_one_connection_too_many(serve: Serve, sdk: Sdk) -> None:
    """Beyond a user's limit the newest client stays connected, and the oldest does not reconnect (3504)."""
    async with serve(connections_per_user=1) as server, sdk.open(server.url, "7") as first:
        await wait_for_event(first, event="connected")
        async with sdk.open(server.url, "7") as second:
            await wait_for_event(first, event="disconnected", code=3504, reason="connection limit")
            await eventually(lambda: server.live.connections == 1)
            await wait_for_event(second, event="connected")
            assert not matching_events(second, event="disconnected")


async def test_every_code(websocket_sdk: Sdk) -> None:
    """Each close code has the effect of its range, and the client receives its reason."""
    assert {3001, 3012, 3503} < {ending.code for ending in OUR_CODES}
    async with closing_server() as url:
        for ending in OUR_CODES:
            async with websocket_sdk.open(f"{url}?code={ending.code}&reason={quote(ending.reason)}", "7") as client:
                event = "disconnected" if ending.code in FINAL else "connecting"
                await wait_for_event(client, event=event, code=ending.code, reason=ending.reason)


@asynccontextmanager
async def closing_server() -> AsyncIterator[str]:
    """Serve an endpoint that answers a connect and closes with the code and reason in the URL."""

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
