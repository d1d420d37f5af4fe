"""One socket of the load tester on a scripted live endpoint."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from loadtest.client import connection, dialer
from loadtest.client.connection import LoadSocket
from loadtest.client.dialer import Dialer
from loadtest.client.frames import FrameParser, ReceivedPublication
from loadtest.client.protocol import Connected, Order
from loadtest.target import tls_context
from tests.support.certificates import Certificate, self_signed
from tests.support.eventually import DEADLINE, eventually
from tests.support.scripted_live import ScriptedLive, publication, send, stream_result


@dataclass
class FakeUser:
    """A user whose token is renewed by appending a letter."""

    token: str = "t"

    async def renew(self) -> None:
        """Renew."""
        self.token += "+"


@dataclass
class SocketEvents:
    """The events of a socket, in order."""

    all: list[tuple[Any, ...]] = field(default_factory=list)

    def connected(self, number: int, result: Connected, seconds: float, *, again: bool) -> None:
        """Record a connect."""
        assert 0 < seconds < 10
        self.all.append(("again" if again else "connected", result.recovered))

    def received(self, number: int, publication: ReceivedPublication, order: Order, now: float) -> None:
        """Record a publication."""
        self.all.append((publication.offset, order.name))

    def disconnected(self, number: int, code: int, *, cut: bool) -> None:
        """Record the end of a connection."""
        self.all.append(("cut" if cut else "disconnected", code))

    def failed(self, number: int, sentence: str) -> None:
        """Record a failure."""
        self.all.append(("failed", sentence))

    def given_up(self, number: int) -> None:
        """Record that the socket has given up."""
        self.all.append(("given_up",))

    async def has(self, *event: Any) -> None:
        """Wait until an event was recorded."""

        def recorded() -> bool:
            assert event in self.all, self.all
            return True

        await eventually(recorded)


@asynccontextmanager
async def running_socket(
    url: str, context: ssl.SSLContext | None = None, *, sources: tuple[str, ...] = ()
) -> AsyncIterator[tuple[LoadSocket, SocketEvents, FakeUser]]:
    """Run one socket until the end of the block, and check its timeouts a hundred times a second."""
    events, user = SocketEvents(), FakeUser()
    dialer = Dialer([url], sources, context)
    await dialer.resolve()
    socket = LoadSocket(0, user, dialer, FrameParser(), events)

    async def check() -> None:
        while True:
            await asyncio.sleep(0.01)
            socket.check_timeout(asyncio.get_running_loop().time())

    running, checking = asyncio.create_task(socket.run()), asyncio.create_task(check())
    try:
        yield socket, events, user
    finally:
        socket.end()
        checking.cancel()
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(running, checking, return_exceptions=True)
        assert running.cancelled() or running.exception() is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def test_it_reconnects_with_its_positions() -> None:
    """After 3001 it requests what it missed, receives it once and in order, and continues."""
    async with ScriptedLive().serving() as server, running_socket(server.url) as (_, events, _):
        first = await server.connected(1)
        await send(first, publication(6), publication(7))
        await events.has(7, "NEXT")
        missed = [{"offset": 8, "data": {"type": "a"}}]
        server.results = [stream_result(9, recovered=True, was_recovering=True, publications=missed)]
        await first.close(code=3001, message=b"shutdown")
        second = await server.connected(2)
        assert server.connects[1]["subs"] == {"feed": {"recover": True, "epoch": "e", "offset": 7}}
        await events.has("again", {"feed": True})
        await send(second, publication(9), publication(10), publication(4))
        await events.has(4, "BACKWARDS")
        assert events.all == [
            ("connected", {}), (6, "NEXT"), (7, "NEXT"), ("disconnected", 3001), ("again", {"feed": True}), (8, "NEXT"),
            (9, "REPEATED"), (10, "NEXT"), (4, "BACKWARDS"),
        ]  # fmt: skip


@pytest.mark.parametrize("code", [3500, 3503, 4500])
async def test_a_terminal_close_code_ends_the_socket(code: int) -> None:
    """A close code that forbids it is not followed by another connect."""
    async with ScriptedLive().serving() as server, running_socket(server.url) as (_, events, _):
        await (await server.connected(1)).close(code=code, message=b"go")
        await events.has("given_up")
        assert ("disconnected", code) in events.all
        assert len(server.connects) == 1


async def test_a_cut_socket_reconnects_at_once() -> None:
    """A socket that the test cuts reconnects at once and recovers, whatever the close code."""
    async with ScriptedLive().serving() as server, running_socket(server.url) as (socket, events, _):
        await wait_until_connected(events)
        assert socket.cut()
        assert not socket.cut()  # it is not connected now
        await server.connected(2)
        await events.has("again", {"feed": False})
        assert ("cut", 1006) in events.all


async def test_pings_are_answered() -> None:
    """Each ping gets one pong, also in a frame with other messages."""
    async with ScriptedLive().serving() as server, running_socket(server.url) as (_, events, _):
        socket = await server.connected(1)
        await send(socket, {})
        await send(socket, publication(6), {})
        await eventually(lambda: server.pongs == 2)
        assert (6, "NEXT") in events.all


async def test_a_server_without_pings_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ping for the announced interval and the tolerance, the socket reconnects."""
    monkeypatch.setattr(connection, "PING_TOLERANCE", 0.1)
    server = ScriptedLive()
    server.results = [stream_result(ping=0.1), stream_result(ping=25)]
    async with server.serving(), running_socket(server.url) as (_, events, _):
        await server.connected(2)
        await events.has("disconnected", 1006)


async def test_an_unanswered_connect_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that opens the WebSocket and then sends nothing is a failure, and the socket tries again."""
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.1)
    server = ScriptedLive()

    async def silent(socket: web.WebSocketResponse, command: dict[str, Any]) -> None:
        server.commands.append(command)

    monkeypatch.setattr(server, "_take", silent)
    async with server.serving(), running_socket(server.url) as (_, events, _):
        await server.connected(2)
        await events.has("failed", "no reply to connect within 0 s")


async def test_an_expired_token_is_renewed() -> None:
    """Error 109 is followed by a connect with a new token, other temporary errors by another attempt."""
    server = ScriptedLive()
    server.results = [
        {"code": 109, "message": "token expired"},
        {"code": 100, "message": "internal server error", "temporary": True},
        stream_result(),
    ]
    async with server.serving(), running_socket(server.url) as (socket, events, account):
        await server.connected(3)
        assert [connect["token"] for connect in server.connects] == ["t", "t+", "t+"]
        await wait_until_connected(events)
        assert events.all[0] == ("failed", "connect failed with error 109 (token expired)")
        await account.renew()
        socket.refresh()
        await eventually(lambda: server.commands[-1].get("refresh") == {"token": "t++"})


async def test_a_close_before_the_connect_reply_is_a_failure_with_its_code() -> None:
    """A connection limit is reported once, with its code, and not as a connection that ended."""
    server = ScriptedLive()

    async def full(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=3504, message=b"connection limit")
        return socket

    server.refuse = full
    async with server.serving(), running_socket(server.url) as (_, events, _):
        await events.has("given_up")
        assert events.all == [
            ("failed", "closed with 3504 (connection limit) before it was connected"),
            ("given_up",),
        ]


async def test_a_response_without_upgrade_is_a_failure_with_its_status() -> None:
    """A proxy that responds for the service is identified by its status."""
    server = ScriptedLive()

    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="bad gateway")

    server.refuse = refuse
    async with server.serving(), running_socket(server.url) as (_, events, _):
        await events.has("failed", "the server responded with 502 instead of opening a WebSocket")


async def test_a_closed_port_is_a_refused_connection() -> None:
    """The text is the system's, without the address, so that failures count together."""
    async with running_socket("ws://127.0.0.1:1/connection/websocket") as (_, events, _):
        await events.has("failed", "connection refused")


async def test_a_frame_outside_the_protocol_is_a_failure() -> None:
    """The connection is ended, and the failure contains the beginning of the frame."""
    server = ScriptedLive()
    async with server.serving(), running_socket(server.url) as (_, events, _):
        socket = await server.connected(1)
        await socket.send_str("<html>")
        await events.has("disconnected", 1006)
        await server.connected(2)


async def test_a_stalled_handshake_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and never responds is left, and its connection is closed before the next attempt."""
    monkeypatch.setattr(dialer, "HANDSHAKE_TIMEOUT", 0.1)
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
    async with server, running_socket(f"ws://127.0.0.1:{port}/connection/websocket") as (_, events, _):
        await eventually(lambda: tries >= 3)
        await events.has("failed", "timed out")
    assert most == 1


async def test_an_untrusted_certificate_is_a_failure(certificate: Certificate) -> None:
    """TLS with an unknown authority fails with the reason; with its certificate, or insecure, it works."""
    async with ScriptedLive().serving(certificate.server) as server:
        async with running_socket(server.url, tls_context(None, insecure=False)) as (_, events, _):
            await events.has("failed", "the server's certificate is not trusted: self-signed certificate")
        for context in (tls_context(str(certificate.path), insecure=False), tls_context(None, insecure=True)):
            async with running_socket(server.url, context) as (_, events, _):
                await wait_until_connected(events)


async def test_sockets_use_the_source_addresses() -> None:
    """The server sees the source address."""
    seen: list[str | None] = []
    server = ScriptedLive()

    async def record_source(request: web.Request) -> web.StreamResponse:
        seen.append(request.remote)
        return web.Response(status=404)

    server.refuse = record_source
    async with server.serving(), running_socket(server.url, sources=("127.0.0.7",)):
        await eventually(lambda: bool(seen))
    assert seen[0] == "127.0.0.7"


async def test_the_end_sends_a_close_frame() -> None:
    """At the end of the test the server receives 1000."""
    async with ScriptedLive().serving() as server:
        async with running_socket(server.url) as (_, events, _):
            await wait_until_connected(events)
        await eventually(lambda: server.sockets[0].close_code == 1000)
        assert events.all[-1] == ("given_up",)


async def wait_until_connected(events: SocketEvents) -> None:
    """Wait until the socket is connected."""
    await events.has("connected", {})
