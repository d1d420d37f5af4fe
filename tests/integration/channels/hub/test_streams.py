"""The server-side subscriptions `feed` and `notifications`: delivery, order, recovery, and slow clients."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import orjson
import pytest

from channels.bus.addressing import channel_prefix
from channels.bus.envelope import control_body, encode_envelope
from channels.bus.publisher import LivePublisher
from tests.integration.channels.conftest import Serve
from tests.support.driver_commands import commands
from tests.support.eventually import DEADLINE, eventually
from tests.support.live import PATH, BareClient, LiveServer, announce, group_of

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_publication(server: LiveServer, packed: bool) -> None:
    """A publication arrives on its stream with its offset and its document."""
    async with BareClient.to(server.url, packed=packed) as client:
        await client.connect("7")
        offset = await server.publish(server.redis, [7], "feed", {"type": "photo.new", "größe": 1})
        assert await client.push() == {
            "channel": "feed",
            "pub": {"data": {"type": "photo.new", "größe": 1}, "offset": offset},
        }


async def test_every_connection_of_a_user(server: LiveServer) -> None:
    """All connections of a user receive it, each in its own codec, and no other user's."""
    async with (
        BareClient.to(server.url) as text,
        BareClient.to(server.url, packed=True) as packed,
        BareClient.to(server.url) as other,
    ):
        await text.connect("7")
        await packed.connect("7")
        await other.connect("8")
        await server.publish(server.redis, [7], "notifications", {"n": 1})
        assert await text.data() == await packed.data() == {"n": 1}
        assert await other.quiet() == []


async def test_repeats_are_dropped(server: LiveServer) -> None:
    """A publication that is published twice, or late, arrives once."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        first = await server.publish(server.redis, [7], "feed", {"n": 1})
        await announce(server.redis, 7, "feed", {"n": 1}, first)
        await server.publish(server.redis, [7], "feed", {"n": 2})
        assert [await client.data(), await client.data()] == [{"n": 1}, {"n": 2}]
        assert await client.quiet() == []


async def test_recovery(server: LiveServer) -> None:
    """A client that was disconnected gets exactly what it missed, with the connect result."""
    async with BareClient.to(server.url) as client:
        subs = (await client.connect("7"))["subs"]
        offset = await server.publish(server.redis, [7], "feed", {"n": 1})
        assert (await client.push())["pub"]["offset"] == offset
    for number in (2, 3):
        await server.publish(server.redis, [7], "feed", {"n": number})
    async with BareClient.to(server.url) as client:
        since = {"recover": True, "epoch": subs["feed"]["epoch"], "offset": offset}
        feed = (await client.connect("7", subs={"feed": since}))["subs"]["feed"]
        assert (feed["recovered"], feed["was_recovering"]) == (True, True)
        assert [item["data"]["n"] for item in feed["publications"]] == [2, 3]
        assert feed["offset"] == feed["publications"][-1]["offset"]
        assert await client.quiet() == []


@pytest.mark.parametrize("since", [{"epoch": "e0", "offset": 1000}, {"epoch": "e1", "offset": 3}])
async def test_recovery_that_is_impossible(server: LiveServer, since: dict[str, object]) -> None:
    """Another epoch, or an offset older than the log, is `recovered: false` with a new position."""
    server.streams.floor = 500
    offset = await server.publish(server.redis, [7], "feed", {"n": 1})
    async with BareClient.to(server.url) as client:
        feed = (await client.connect("7", subs={"feed": {"recover": True, **since}}))["subs"]["feed"]
        assert (feed["recovered"], feed["was_recovering"], feed["publications"]) == (False, True, [])
        assert (feed["epoch"], feed["offset"]) == ("e1", offset)


@pytest.mark.parametrize("recover", [False, True])
async def test_publications_while_connecting(server: LiveServer, recover: bool) -> None:
    """Publications during the read of the streams arrive once, after the connect reply."""
    gate = server.streams.gate = asyncio.Event()
    async with BareClient.to(server.url) as client:
        since = {"feed": {"recover": True, "epoch": "e1", "offset": 1000}} if recover else {}
        await client.send({"id": 1, "connect": {"token": "7", "subs": since}})
        await eventually(lambda: server.streams.reads)
        for number in (1, 2):
            await server.publish(server.redis, [7], "feed", {"n": number})
        # Contained in the log when it was read and published all the same: it is in the result only.
        gate.set()
        feed = (await client.reply(1))["connect"]["subs"]["feed"]
        recovered = [item["data"]["n"] for item in feed.get("publications", [])]
        await server.publish(server.redis, [7], "feed", {"n": 3})
        pushed = [message["push"]["pub"]["data"]["n"] for message in await _until_quiet(client)]
        assert recovered == ([1, 2] if recover else [])
        assert pushed == [3]


async def test_held_publications_follow_the_reply(server: LiveServer) -> None:
    """A publication between the read of the streams and the reply is pushed after the reply."""
    gate = asyncio.Event()
    position = server.streams.position

    async def read_then_wait(user_id: int, stream: str) -> object:
        result = await position(user_id, stream)
        await gate.wait()
        return result

    server.streams.position = read_then_wait  # type: ignore[assignment, method-assign]
    async with BareClient.to(server.url) as client:
        await client.send({"id": 1, "connect": {"token": "7"}})
        await eventually(lambda: server.streams.reads)
        await server.publish(server.redis, [7], "feed", {"n": 1})
        gate.set()
        assert (await client.reply(1))["connect"]["subs"]["feed"]["offset"] == 1000
        assert await client.data() == {"n": 1}


async def test_unsubscribe_from_a_stream(server: LiveServer) -> None:
    """A client may unsubscribe from one of its streams; the other continues."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        assert (await client.request("unsubscribe", channel="feed"))["unsubscribe"] == {}
        await server.publish(server.redis, [7], "feed", {"n": 1})
        await server.publish(server.redis, [7], "notifications", {"n": 2})
        assert (await client.push())["channel"] == "notifications"


async def test_disconnect_orders(server: LiveServer) -> None:
    """A disconnect order closes the connections of one session with 3500, or all of a user with 3503."""
    publisher = LivePublisher(server.redis, group_of)
    async with (
        BareClient.to(server.url) as one,
        BareClient.to(server.url) as two,
        BareClient.to(server.url) as other,
    ):
        await one.connect("7:one")
        await two.connect("7:two")
        await other.connect("8")
        assert await publisher.to_users([7, 9], control_body(control="disconnect", session="one")) == 1
        assert await one.closed() == (3500, "invalid token")
        assert await two.quiet() == []
        await publisher.to_users([7], control_body(control="disconnect"))
        assert await two.closed() == (3503, "force disconnect")
        assert await other.quiet() == []


async def test_slow_client(serve: Serve) -> None:
    """A client that does not read is closed with 3008 at its limit, and others receive without delay meanwhile."""
    async with serve(write_buffer_bytes=100_000, close_deadline=0.2) as server, BareClient.to(server.url) as quick:
        stuck = await _connected_but_not_reading(server)
        await quick.connect("8")
        await eventually(lambda: server.streams.reads >= 4)
        filler = "x" * 50_000
        number = 0
        async with asyncio.timeout(DEADLINE):
            while not server.metrics.codes:
                number += 1
                await server.publish(server.redis, [7, 8], "feed", {"n": number, "filler": filler})
                assert (await quick.data())["n"] == number
        assert server.metrics.codes == [3008]
        await eventually(lambda: server.live.connections == 1)
        stuck.close()


async def _connected_but_not_reading(server: LiveServer) -> socket.socket:
    """Return an unread socket of user 7 with a small receive buffer."""
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.to_thread(stuck.connect, ("127.0.0.1", server.port))
    handshake = (
        f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    payload = orjson.dumps({"id": 1, "connect": {"token": "7"}})
    stuck.sendall(handshake.encode() + bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
    return stuck


async def test_unreadable_message_is_a_loss(server: LiveServer) -> None:
    """After an unreadable message the process reads all streams again."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        server.streams.append(7, "feed", b'{"n":1}')
        for broken in (b"\x09nonsense", encode_envelope([7], b"\xc1"), b""):
            await commands(server.redis).publish(channel_prefix(group_of(7)) + server.live.process_id, broken)
        assert await client.data() == {"n": 1}
        assert await client.quiet() == []


async def _until_quiet(client: BareClient) -> list[dict[str, Any]]:
    received: list[dict[str, Any]] = []

    async def something() -> bool:
        received.extend(await client.quiet())
        return bool(received)

    await eventually(something)
    return received
