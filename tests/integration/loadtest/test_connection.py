"""One socket of the load tester on a live endpoint that does as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from loadtest.client import connection
from loadtest.client import dialer as door
from loadtest.client.connection import LoadSocket
from loadtest.client.dialer import Door
from loadtest.client.frames import FrameReader, Publication
from loadtest.client.protocol import Connected, Order
from loadtest.client.trust import trust
from tests.support.certificates import Certificate, self_signed
from tests.support.eventually import eventually
from tests.support.scripted_live import ScriptedLive, publication, say, stream_result


@dataclass
class Someone:
    """A person whose token is renewed by adding a letter."""

    token: str = "t"

    async def renew(self) -> None:
        """Renew."""
        self.token += "+"


@dataclass
class Diary:
    """What a socket told, in its order."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    def connected(self, number: int, result: Connected, seconds: float, *, again: bool) -> None:
        """Note a connect."""
        assert 0 < seconds < 10
        self.events.append(("again" if again else "connected", result.recovered))

    def heard(self, number: int, publication: Publication, order: Order, now: float) -> None:
        """Note a publication."""
        self.events.append((publication.offset, order.name))

    def away(self, number: int, code: int, *, cut: bool) -> None:
        """Note an end."""
        self.events.append(("cut" if cut else "away", code))

    def failed(self, number: int, sentence: str) -> None:
        """Note a failure."""
        self.events.append(("failed", sentence))

    def gone(self, number: int) -> None:
        """Note that it is over."""
        self.events.append(("gone",))

    async def has(self, *event: Any) -> None:
        """Wait until something was told."""

        def told() -> bool:
            assert event in self.events, self.events
            return True

        await eventually(told, within=10)


@asynccontextmanager
async def held(
    url: str, context: ssl.SSLContext | None = None, *, sources: tuple[str, ...] = ()
) -> AsyncIterator[tuple[LoadSocket, Diary, Someone]]:
    """Keep one socket connected for the time of the block, and look after it as often as a second has 100 parts."""
    diary, person = Diary(), Someone()
    way = Door([url], sources, context)
    await way.find()
    socket = LoadSocket(0, person, way, FrameReader(), diary)

    async def look() -> None:
        while True:
            await asyncio.sleep(0.01)
            socket.look(asyncio.get_running_loop().time())

    keeping, looking = asyncio.create_task(socket.keep()), asyncio.create_task(look())
    try:
        yield socket, diary, person
    finally:
        socket.end()
        looking.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(keeping, looking, return_exceptions=True)
        assert keeping.cancelled() or keeping.exception() is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate that nobody has signed but itself."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def test_it_comes_back_with_its_positions() -> None:
    """After 3001 it asks for what it missed, hears it once and in order, and goes on."""
    async with ScriptedLive().serving() as server, held(server.url) as (_, diary, _):
        first = await server.connected(1)
        await say(first, publication(6), publication(7))
        await diary.has(7, "NEXT")
        missed = [{"offset": 8, "data": {"type": "a"}}]
        server.results = [stream_result(9, recovered=True, was_recovering=True, publications=missed)]
        await first.close(code=3001, message=b"shutdown")
        second = await server.connected(2)
        assert server.connects[1]["subs"] == {"feed": {"recover": True, "epoch": "e", "offset": 7}}
        await diary.has("again", {"feed": True})
        await say(second, publication(9), publication(10), publication(4))
        await diary.has(4, "BACKWARDS")
        assert diary.events == [
            ("connected", {}), (6, "NEXT"), (7, "NEXT"), ("away", 3001), ("again", {"feed": True}), (8, "NEXT"),
            (9, "REPEATED"), (10, "NEXT"), (4, "BACKWARDS"),
        ]  # fmt: skip


@pytest.mark.parametrize("code", [3500, 3503, 4500])
async def test_who_is_sent_away_stays_away(code: int) -> None:
    """A close code that forbids it is not followed by another connect."""
    async with ScriptedLive().serving() as server, held(server.url) as (_, diary, _):
        await (await server.connected(1)).close(code=code, message=b"go")
        await diary.has("gone")
        assert ("away", code) in diary.events
        assert len(server.connects) == 1


async def test_a_cut_is_not_the_server_s_doing() -> None:
    """A socket that the test tears down comes back at once and recovers, whatever it was told before."""
    async with ScriptedLive().serving() as server, held(server.url) as (socket, diary, _):
        await diary_connected(diary)
        assert socket.cut()
        assert not socket.cut()  # it is not connected now
        await server.connected(2)
        await diary.has("again", {"feed": False})
        assert ("cut", 1006) in diary.events


async def test_pings_are_answered() -> None:
    """Each ping gets one pong, also in a frame with other messages."""
    async with ScriptedLive().serving() as server, held(server.url) as (_, diary, _):
        socket = await server.connected(1)
        await say(socket, {})
        await say(socket, publication(6), {})
        await eventually(lambda: server.pongs == 2)
        assert (6, "NEXT") in diary.events


async def test_a_silent_server_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ping for the interval that was announced and some patience it comes back elsewhere."""
    monkeypatch.setattr(connection, "PATIENCE_BEYOND_PING", 0.1)
    server = ScriptedLive()
    server.results = [stream_result(ping=0.1), stream_result(ping=25)]
    async with server.serving(), held(server.url) as (_, diary, _):
        await server.connected(2)
        await diary.has("away", 1006)


async def test_an_unanswered_connect_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that opens the WebSocket and then says nothing is tried again, and that is told."""
    monkeypatch.setattr(connection, "CONNECT_DEADLINE", 0.1)
    server = ScriptedLive()

    async def silent(socket: web.WebSocketResponse, command: dict[str, Any]) -> None:
        server.commands.append(command)

    monkeypatch.setattr(server, "_take", silent)
    async with server.serving(), held(server.url) as (_, diary, _):
        await server.connected(2)
        await diary.has("failed", "no answer to connect within 0 s")


async def test_an_expired_token_is_renewed() -> None:
    """Error 109 is answered with a new token; other errors with another try."""
    server = ScriptedLive()
    server.results = [
        {"code": 109, "message": "token expired"},
        {"code": 100, "message": "internal server error", "temporary": True},
        stream_result(),
    ]
    async with server.serving(), held(server.url) as (socket, diary, person):
        await server.connected(3)
        assert [connect["token"] for connect in server.connects] == ["t", "t+", "t+"]
        await diary_connected(diary)
        assert diary.events[0] == ("failed", "connect was answered with error 109 (token expired)")
        await person.renew()
        socket.refresh()
        await eventually(lambda: server.commands[-1].get("refresh") == {"token": "t++"})


async def test_a_close_before_the_answer_says_the_code() -> None:
    """A limit of connections is told with its code, once, and not taken for a connection that ended."""
    server = ScriptedLive()

    async def full(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=3504, message=b"connection limit")
        return socket

    server.refuse = full
    async with server.serving(), held(server.url) as (_, diary, _):
        await diary.has("gone")
        assert diary.events == [("failed", "closed with 3504 (connection limit) before it was connected"), ("gone",)]


async def test_an_answer_that_is_no_websocket_says_its_status() -> None:
    """A proxy that answers for the service is named by its status."""
    server = ScriptedLive()

    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="bad gateway")

    server.refuse = refuse
    async with server.serving(), held(server.url) as (_, diary, _):
        await diary.has("failed", "the server answered 502 instead of opening a WebSocket")


async def test_nobody_there_is_a_refused_connection() -> None:
    """The words are the system's, without the address, so that they count together."""
    async with held("ws://127.0.0.1:1/connection/websocket") as (_, diary, _):
        await diary.has("failed", "connection refused")


async def test_what_is_not_the_protocol_is_a_failure() -> None:
    """A server that speaks something else is left, with the beginning of what it said."""
    server = ScriptedLive()
    async with server.serving(), held(server.url) as (_, diary, _):
        socket = await server.connected(1)
        await socket.send_str("<html>")
        await diary.has("away", 1006)
        await server.connected(2)


async def test_a_stalled_handshake_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and never answers is given up, and its connection is closed before the next try."""
    monkeypatch.setattr(door, "HANDSHAKE_DEADLINE", 0.1)
    open_now, most, tries = 0, 0, 0

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most, tries
        open_now, tries = open_now + 1, tries + 1
        most = max(most, open_now)
        await reader.read()
        open_now -= 1
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, held(f"ws://127.0.0.1:{port}/connection/websocket") as (_, diary, _):
        await eventually(lambda: tries >= 3, within=10)
        await diary.has("failed", "no answer in time")
    assert most == 1


async def test_an_untrusted_certificate_is_named(certificate: Certificate) -> None:
    """TLS by somebody unknown fails with the reason; with its authority, or trusting everybody, it works."""
    async with ScriptedLive().serving(certificate.server) as server:
        async with held(server.url, trust(None, insecure=False)) as (_, diary, _):
            await diary.has("failed", "the server's certificate is not trusted: self-signed certificate")
        for context in (trust(str(certificate.path), insecure=False), trust(None, insecure=True)):
            async with held(server.url, context) as (_, diary, _):
                await diary_connected(diary)


async def test_sockets_come_from_the_addresses_given() -> None:
    """The server sees the source address."""
    seen: list[str | None] = []
    server = ScriptedLive()

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append(request.remote)
        return web.Response(status=404)

    server.refuse = look
    async with server.serving(), held(server.url, sources=("127.0.0.7",)):
        await eventually(lambda: bool(seen), within=10)
    assert seen[0] == "127.0.0.7"


async def test_an_end_is_a_farewell() -> None:
    """At the end of the test the server is told, with 1000."""
    async with ScriptedLive().serving() as server:
        async with held(server.url) as (_, diary, _):
            await diary_connected(diary)
        await eventually(lambda: server.sockets[0].close_code == 1000)
        assert diary.events[-1] == ("gone",)


async def diary_connected(diary: Diary) -> None:
    """Wait until a diary's socket is connected."""
    await diary.has("connected", {})
