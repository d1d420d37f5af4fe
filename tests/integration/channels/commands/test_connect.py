"""Connect, keepalive, refresh and close, over a real socket and a real Redis."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest

from channels.bus.addressing import registry_key, user_field
from storage.redis.client import Redis
from tests.integration.channels.conftest import Serve
from tests.support.driver_commands import commands
from tests.support.eventually import DEADLINE, eventually
from tests.support.live import BareClient, LiveServer, group_of

pytestmark = pytest.mark.engines


async def registered(redis: Redis, user_id: int) -> bytes:
    """Return the processes at which a user is registered."""
    value: bytes | None = await commands(redis).hget(registry_key(group_of(user_id)), user_field(user_id))
    return value or b""


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_connect_result(serve: Serve, packed: bool) -> None:
    """The connect result has the session, the pings, and both streams with their positions."""
    async with serve(ping_interval=25.0) as server, BareClient.to(server.url, packed=packed) as client:
        result = await client.connect("7")
    assert result["client"]
    assert result["expires"] is True
    assert 3590 < result["ttl"] <= 3600
    assert (result["ping"], result["pong"]) == (25, True)
    assert set(result["subs"]) == {"feed", "notifications"}
    assert result["subs"]["feed"] == {"recoverable": True, "positioned": True, "epoch": "e1", "offset": 1000}


async def test_registration(server: LiveServer, redis: Redis) -> None:
    """A user is registered at the process from the first connection to the end of the last."""
    async with BareClient.to(server.url) as first:
        await first.connect("7")
        assert await registered(redis, 7) == server.live.process_id
        async with BareClient.to(server.url) as second:
            await second.connect("7")
        await eventually(lambda: server.live.connections == 1)
        assert await registered(redis, 7) == server.live.process_id

    async def gone() -> bool:
        return not await registered(redis, 7)

    await eventually(gone)


async def test_expired_token(server: LiveServer) -> None:
    """An expired token gets error 109, and a valid one may follow on the same connection."""
    server.authenticator.expired.add("7:old")
    async with BareClient.to(server.url) as client:
        reply = await client.request("connect", token="7:old")
        assert reply["error"] == {"code": 109, "message": "token expired"}
        assert (await client.connect("7"))["client"]


async def test_rest_of_a_rejected_frame(server: LiveServer) -> None:
    """Commands after a rejected connect in the same frame are ignored."""
    server.authenticator.expired.add("7:old")
    async with BareClient.to(server.url) as client:
        await client.send({"id": 1, "connect": {"token": "7:old"}}, {"id": 2, "subscribe": {"channel": "photo:1"}})
        assert (await client.reply(1))["error"]["code"] == 109
        await client.send({"id": 3, "connect": {"token": "7"}})
        assert "connect" in await client.reply(3)
        assert await client.quiet() == []


@pytest.mark.parametrize("token", ["", "nonsense", "7:gone"])
async def test_invalid_token(server: LiveServer, token: str) -> None:
    """An invalid or revoked token closes with 3500, after which clients do not reconnect."""
    server.authenticator.revoked.add("gone")
    async with BareClient.to(server.url) as client:
        await client.send({"id": 1, "connect": {"token": token}})
        assert await client.closed() == (3500, "invalid token")


async def test_sign_out_while_connecting(server: LiveServer, redis: Redis) -> None:
    """A session that is revoked between authentication and registration does not stay connected."""
    server.authenticator.revoked_on_confirm.add("gone")
    async with BareClient.to(server.url) as client:
        await client.send({"id": 1, "connect": {"token": "7:gone"}})
        assert (await client.closed())[0] == 3500

    async def gone() -> bool:
        return not await registered(redis, 7)

    await eventually(gone)


async def test_streams_unavailable(server: LiveServer) -> None:
    """While the streams cannot be read, a connect gets the temporary error 100 and leaves nothing behind."""
    server.streams.broken = True
    async with BareClient.to(server.url) as client:
        reply = await client.request("connect", token="7")
        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}
        server.streams.broken = False
        await client.connect("7")
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert await client.data() == {"n": 1}
        assert await client.quiet() == []


async def test_slow_port(serve: Serve) -> None:
    """A port that does not return by the deadline causes the temporary error 100."""
    async with serve(command_deadline=0.1) as server, BareClient.to(server.url) as client:
        server.authenticator.gate = asyncio.Event()
        assert (await client.request("connect", token="7"))["error"]["code"] == 100


async def test_stale(serve: Serve) -> None:
    """A socket without a connect is closed with 3502."""
    async with serve(connect_deadline=0.1) as server, BareClient.to(server.url) as client:
        assert await client.closed() == (3502, "stale")


async def test_pings(serve: Serve) -> None:
    """A client that answers pings stays connected, also while it is busy."""
    # The client runs in this process, so the deadline must be longer than any pause that a busy machine makes.
    async with serve(ping_interval=0.5, pong_deadline=0.45) as server, BareClient.to(server.url) as client:
        result = await client.connect("7")
        assert result["ping"] == 1
        for _ in range(3):
            await client.ping()
            await client.send({})
        assert await client.quiet() == []


async def test_no_pong(serve: Serve) -> None:
    """A client that does not answer a ping is closed with 3012."""
    async with serve(ping_interval=0.1, pong_deadline=0.05) as server, BareClient.to(server.url) as client:
        await client.connect("7")
        assert await client.closed() == (3012, "no pong")


async def test_unsolicited_pong(server: LiveServer) -> None:
    """An unsolicited pong closes with 3501."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.send({})
        assert await client.closed() == (3501, "bad request")


async def test_expiry(serve: Serve) -> None:
    """A connection whose token expired without a refresh is closed with 3005 after the grace period."""
    async with serve(expiry_grace=0.2) as server, BareClient.to(server.url) as client:
        server.authenticator.lifetime = 0.1
        await client.connect("7")
        async with asyncio.timeout(DEADLINE):
            assert await client.closed() == (3005, "connection expired")


async def test_refresh(serve: Serve) -> None:
    """A refresh in time keeps the connection beyond the expiry of its first token."""
    async with serve(expiry_grace=0.2) as server, BareClient.to(server.url) as client:
        server.authenticator.lifetime = 0.2
        await client.connect("7")
        server.authenticator.lifetime = 3600
        reply = await client.request("refresh", token="7:next")
        assert reply["refresh"]["expires"] is True
        assert reply["refresh"]["ttl"] > 3500
        await asyncio.sleep(0.6)  # beyond the first token's expiry and grace: this is no wait for a condition
        assert await client.quiet() == []


async def test_new_epoch_of_a_stream(server: LiveServer) -> None:
    """A new epoch under a connected client is detected at the next refresh, and closes with 3010."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        server.streams.append(7, "feed", b'{"n":1}')
        assert "refresh" in await client.request("refresh", token="7")
        assert await client.data() == {"n": 1}
        server.streams.epoch = "e2"
        assert "refresh" in await client.request("refresh", token="7")
        assert await client.closed() == (3010, "insufficient state")


async def test_refresh_rejected(server: LiveServer) -> None:
    """A refresh with an expired token gets 109, with another user's token it closes with 3500."""
    server.authenticator.expired.add("7:old")
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        assert (await client.request("refresh", token="7:old"))["error"]["code"] == 109
        await client.send({"id": 9, "refresh": {"token": "8"}})
        assert (await client.closed())[0] == 3500


async def test_refresh_of_a_revoked_session(server: LiveServer) -> None:
    """A valid token of a session that has been revoked does not continue the connection: it closes with 3500."""
    server.authenticator.revoked_on_confirm.add("ended")
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.send({"id": 9, "refresh": {"token": "7:ended"}})
        assert await client.closed() == (3500, "invalid token")


async def test_connection_limit(serve: Serve) -> None:
    """Beyond a user's limit the newest connection stays, and the oldest ends for good once it proves to be alive."""
    async with (
        serve(connections_per_user=2) as server,
        BareClient.to(server.url) as one,
        BareClient.to(server.url) as other,
        BareClient.to(server.url) as two,
        BareClient.to(server.url) as three,
    ):
        await one.connect("7")
        await other.connect("8")
        await two.connect("7")
        await three.connect("7")
        await one.ping()
        await one.send({})
        assert await one.closed() == (3504, "connection limit")
        for client in (two, three, other):
            assert await client.quiet() == []


async def test_connections_after_a_change_of_network(serve: Serve) -> None:
    """All clients of a user connect again while their old connections are dead without notice; none is refused."""
    async with serve(connections_per_user=2, pong_deadline=0.2) as server, AsyncExitStack() as stack:
        dead, alive = [[await stack.enter_async_context(BareClient.to(server.url)) for _ in range(2)] for _ in range(2)]
        for client in (*dead, *alive):
            await client.connect("7")
        for client in dead:
            assert await client.closed() == (3012, "no pong")
        for client in alive:
            assert await client.quiet() == []


async def test_many_connections_at_once(serve: Serve) -> None:
    """Connections that are still to prove themselves are limited, too: the oldest ends at once, and may reconnect."""
    async with serve(connections_per_user=1) as server, AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(BareClient.to(server.url)) for _ in range(3)]
        for client in (one, two):
            await client.connect("7")
        assert await one.quiet() == []
        await three.connect("7")
        assert await one.closed() == (3011, "force reconnect")
        assert await two.quiet() == []
        assert await three.quiet() == []


async def test_flood(serve: Serve) -> None:
    """Commands beyond the rate close with 3013."""
    async with serve(command_burst=20, command_rate=1) as server, BareClient.to(server.url) as client:
        await client.connect("7")
        for number in range(30):
            await client.send({"id": number + 10, "ping": {}})
        assert await client.closed() == (3013, "too many requests")


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403)]
)
async def test_foreign_origin(server: LiveServer, origin: str, status: int) -> None:
    """A page of a foreign origin is rejected in the handshake."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with BareClient.to(server.url, origin=origin):
            pass
    assert refusal.value.status == status


async def test_own_and_configured_origins(serve: Serve) -> None:
    """Pages of the own host and of configured origins may connect."""
    async with serve(allowed_origins=("https://photos.example",)) as server:
        for origin in (f"http://127.0.0.1:{server.port}", "https://photos.example"):
            async with BareClient.to(server.url, origin=origin) as client:
                await client.connect("7")


async def test_unknown_protocol(server: LiveServer) -> None:
    """A client that requires an unsupported subprotocol gets 400 and the names of the supported ones."""
    async with aiohttp.ClientSession() as session:
        for query, protocols in (("?format=cbor", []), ("", ["centrifuge-cbor"])):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(server.url + query, protocols=protocols)
            assert refusal.value.status == 400


async def test_drain(serve: Serve) -> None:
    """A process that stops closes all connections with 3001 and accepts no new ones."""
    async with serve() as server, BareClient.to(server.url) as client:
        await client.connect("7")
        closing = asyncio.create_task(server.live.close())
        assert await client.closed() == (3001, "shutdown")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with BareClient.to(server.url):
                pass
        assert refusal.value.status == 503
        await closing
        assert await registered(server.redis, 7) == b""
