"""HTTP streaming: fallbacks across processes, and the read-only event stream that resumes by its ids."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.integration.channels.conftest import Serve
from tests.support.eventually import DEADLINE, eventually
from tests.support.live import LiveServer

pytestmark = pytest.mark.engines

JWT_LIKE = "aaa.bbb.ccc"


class Stream:
    """A streaming response, read line by line."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._response = reply

    async def line(self) -> str:
        """Return the next line that is not empty, without its end."""
        async with asyncio.timeout(DEADLINE):
            while True:
                raw = await self._response.content.readline()
                if not raw:
                    return ""
                if line := raw.decode().strip():
                    return line

    async def message(self) -> dict[str, Any]:
        """Return the next message of the protocol that is not a ping; the first of those comes at a random moment."""
        found: dict[str, Any] = {}
        while not found:
            found = json.loads((await self.line()).removeprefix("data: "))
        return found

    async def event(self) -> tuple[str, str, Any]:
        """Return the next event's id, name and document."""
        found = dict.fromkeys(("id", "event", "data"), "")
        while not found["data"]:
            name, _, value = (await self.line()).partition(": ")
            found[name] = value
        return found["id"], found["event"], json.loads(found["data"])


@asynccontextmanager
async def opened(method: str, url: str, **how: Any) -> AsyncIterator[Stream]:
    """Open a streaming response inside the block."""
    async with aiohttp.ClientSession() as session, session.request(method, url, **how) as reply:
        assert reply.status == 200, await reply.text()
        yield Stream(reply)


def connect(user: str = "7") -> str:
    """Return a connect command."""
    return json.dumps({"id": 1, "connect": {"token": user}})


async def send(server: LiveServer, result: dict[str, Any], *commands: dict[str, Any]) -> int:
    """Send commands of a session to a process; return the status of the response."""
    data = "\n".join(json.dumps(command) for command in commands)
    body = {"session": result["session"], "node": result["node"], "data": data}
    async with aiohttp.ClientSession() as session, session.post(f"{server.origin}/emulation", json=body) as reply:
        return reply.status


async def test_http_stream(server: LiveServer) -> None:
    """The first commands are answered in the stream, later ones are sent by requests, publications arrive as lines."""
    async with opened("POST", f"{server.origin}/connection/http_stream", data=connect()) as stream:
        result = (await stream.message())["connect"]
        assert set(result["subs"]) == {"feed", "notifications"}
        assert await send(server, result, {"id": 2, "ping": {}}, {"id": 3, "subscribe": {"channel": "photo:1"}}) == 204
        assert await stream.message() == {"id": 2, "ping": {}}
        assert await stream.message() == {"id": 3, "subscribe": {}}
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert (await stream.message())["push"]["pub"]["data"] == {"n": 1}


async def test_commands_through_another_process(serve: Serve) -> None:
    """Commands may be sent to any process, which forwards them to the one with the stream."""
    async with serve() as here, serve() as there:
        url = f"{here.origin}/connection/sse"
        async with opened("GET", url, params={"cf_connect": connect()}) as stream:
            result = (await stream.message())["connect"]
            assert await send(there, result, {"id": 2, "ping": {}}) == 204
            assert await stream.message() == {"id": 2, "ping": {}}


@pytest.mark.parametrize("node", ["00000000", "x", "", "../../x", "ΩΩΩΩΩΩΩΩ"])
async def test_process_that_is_gone(server: LiveServer, node: str) -> None:
    """Commands for a dead process get a 404, so that the client reconnects."""
    assert await send(server, {"session": "s", "node": node}, {"id": 2, "ping": {}}) == 404


async def test_session_that_is_gone(server: LiveServer) -> None:
    """Commands of an ended or guessed session have no effect."""
    node = server.live.process_id.decode()
    assert await send(server, {"session": "guess", "node": node}, {"id": 2, "ping": {}}) == 204


async def test_close_message(server: LiveServer) -> None:
    """A stream that the server ends has the reason before its end, and leaves nothing behind."""
    async with opened("POST", f"{server.origin}/connection/http_stream", data=connect("nonsense")) as stream:
        push = (await stream.message())["push"]
        assert push == {"disconnect": {"code": 3500, "reason": "invalid token"}}
        assert await stream.line() == ""
    await eventually(lambda: server.live.connections == 0)


async def test_client_that_goes(server: LiveServer) -> None:
    """A client that closes its stream is removed at once."""
    async with opened("POST", f"{server.origin}/connection/http_stream", data=connect()) as stream:
        await stream.message()
        assert server.live.connections == 1
    await eventually(lambda: server.live.connections == 0)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/connection/http_stream", b"", 400),
        ("/connection/http_stream", b"{", 400),
        ("/connection/http_stream", b"x" * 65_537, 413),
        ("/emulation", b"{}", 400),
        ("/emulation", b"\xff", 400),
        ("/emulation", json.dumps({"session": 1, "node": "x", "data": ""}).encode(), 400),
        ("/emulation", b"x" * 65_537, 413),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream"])
async def test_bad_bodies(server: LiveServer, path: str, body: bytes, status: int, kind: str) -> None:
    """An invalid body is rejected with a message, never with a stream."""
    headers = {"Content-Type": kind}
    async with aiohttp.ClientSession() as http, http.post(server.origin + path, data=body, headers=headers) as reply:
        assert reply.status == status
        assert (await reply.text()).strip()


async def test_token_in_a_url(server: LiveServer) -> None:
    """An access token in a URL is rejected without verification; only one-use tickets are allowed there."""
    url = f"{server.origin}/connection/sse"
    params = {"cf_connect": connect(JWT_LIKE)}
    async with aiohttp.ClientSession() as session, session.get(url, params=params) as reply:
        assert reply.status == 400
        assert "ticket" in await reply.text()
    assert server.authenticator.asked == 0


@pytest.mark.parametrize("path", ["/connection/http_stream", "/emulation"])
async def test_origins(serve: Serve, path: str) -> None:
    """A foreign page is rejected; a configured one may send requests, and may read the response."""
    async with serve(allowed_origins=("https://photos.example",)) as server, aiohttp.ClientSession() as session:
        for method in ("POST", "OPTIONS"):
            async with session.request(method, server.origin + path, headers={"Origin": "https://evil.example"}) as no:
                assert no.status == 403
        async with session.options(server.origin + path, headers={"Origin": "https://photos.example"}) as yes:
            assert yes.status == 204
            assert yes.headers["Access-Control-Allow-Origin"] == "https://photos.example"
            assert yes.headers["Access-Control-Allow-Credentials"] == "true"


async def test_cookies_need_a_listed_origin(serve: Serve) -> None:
    """Where every origin is allowed, a page may read the response, but not one to a request with cookies."""
    async with serve(allowed_origins=("*",)) as server, aiohttp.ClientSession() as session:
        url, headers = f"{server.origin}/emulation", {"Origin": "https://photos.example"}
        async with session.options(url, headers=headers) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://photos.example"
            assert "Access-Control-Allow-Credentials" not in response.headers


async def test_connections_from_one_address(serve: Serve) -> None:
    """A connection beyond the limit per address is rejected before it begins, on every transport."""
    async with serve(connections_per_address=1) as server:
        url = f"{server.origin}/connection/http_stream"
        async with opened("POST", url, data=connect()) as stream, aiohttp.ClientSession() as session:
            await stream.message()
            for refused in (session.post(url, data=connect()), session.ws_connect(server.url)):
                with pytest.raises(aiohttp.ClientResponseError) as error:
                    (await refused).raise_for_status()  # type: ignore[union-attr]
                assert error.value.status == 429


async def test_events(server: LiveServer) -> None:
    """The event stream names each publication's channel, and its ids continue from the current positions."""
    async with opened("GET", f"{server.origin}/live/sse?token=7") as stream:
        assert await stream.line() == "retry: 2000"
        begun, name, document = await stream.event()
        assert (name, document) == ("ready", {"channels": ["feed", "notifications"]})
        assert begun == "e1.1000-e1.1000"
        await server.publish(server.redis, [7], "feed", {"n": 1})
        assert await stream.event() == ("e1.1001-e1.1000", "feed", {"n": 1})
        await server.publish(server.redis, [7], "notifications", {"n": 2})
        assert await stream.event() == ("e1.1001-e1.1002", "notifications", {"n": 2})


async def test_events_recover(server: LiveServer) -> None:
    """A client with the id of its last event gets what it missed, oldest first, and each once."""
    for number, stream_name in enumerate(("feed", "notifications", "feed")):
        server.streams.append(7, stream_name, b'{"n":%d}' % number)
    headers = {"Last-Event-ID": "e1.1000-e1.1000"}
    async with opened("GET", f"{server.origin}/live/sse?token=7", headers=headers) as stream:
        await stream.line()
        assert [await stream.event() for _ in range(4)] == [
            ("e1.1001-e1.1000", "feed", {"n": 0}),
            ("e1.1001-e1.1002", "notifications", {"n": 1}),
            ("e1.1003-e1.1002", "feed", {"n": 2}),
            ("e1.1003-e1.1002", "ready", {"channels": ["feed", "notifications"]}),
        ]


async def test_events_of_another_history(server: LiveServer) -> None:
    """If missed publications cannot be recovered, an event reports that for the channel."""
    headers = {"Last-Event-ID": "old.5-e1.1000"}
    async with opened("GET", f"{server.origin}/live/sse?token=7", headers=headers) as stream:
        await stream.line()
        assert await stream.event() == ("e1.1000-e1.1000", "gap", {"channel": "feed"})
        assert (await stream.event())[1] == "ready"


@pytest.mark.parametrize("given", ["x", "e1.1", "e1.1-e1.-1", "e1.1-e1." + "9" * 30, "a\u00b2.1-e1.1"])
async def test_bad_event_id(server: LiveServer, given: str) -> None:
    """An invalid event id is a 400 with a message."""
    params = {"token": "7", "last_event_id": given}
    async with aiohttp.ClientSession() as session, session.get(f"{server.origin}/live/sse", params=params) as reply:
        assert reply.status == 400


async def test_events_need_no_pong(serve: Serve) -> None:
    """A client that cannot answer pings stays connected, and receives comments that keep the connection alive."""
    async with (
        serve(ping_interval=0.05, pong_deadline=0.02) as server,
        opened("GET", f"{server.origin}/live/sse?token=7") as stream,
    ):
        await stream.line()
        await stream.event()
        for _ in range(4):
            assert await stream.line() == ":"
        await server.publish(server.redis, [7], "feed", {"n": 1})
        while (line := await stream.line()) == ":":
            pass
        assert line.startswith("id: ")
