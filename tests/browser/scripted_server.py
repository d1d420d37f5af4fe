"""A scripted live server that replaces the real one in tests of the browser's live client."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from server.edge.middleware import PAGE_POLICY
from server.edge.pages import Pages
from tests.support.eventually import eventually

STATIC = Path(__file__).parents[2] / "static"
Message = dict[str, Any]


@functools.cache
def static_pages() -> Pages:
    """Return the files of the web application; reading them compresses all of them, so servers share one object."""
    return Pages(STATIC)


class ScriptedServer:
    """Serve an empty page, the client, tickets, and a scripted live endpoint.

    The server keeps the history of the stream `feed` and recovers it by offset, unless a test sets `results`: the
    connect results to send in turn, of which the last one repeats. `refuse` maps channels or methods to errors. A
    `mute` server accepts connections but sends no replies. A `ticket_status` other than 200 refuses tickets, with
    `retry_after` seconds. `GET /hang` is answered at the end of `hang()`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.results: list[Message] = []
        self.history: list[tuple[int, object]] = []
        self.refuse: dict[str, Message] = {}
        self.mute = False
        self.ticket_status = 200
        self.retry_after = 0
        self.tickets = 0
        self._hanging = asyncio.Event()
        self.commands: list[Message] = []
        self.connects = 0
        self.open: list[web.WebSocketResponse] = []
        self.listening: list[web.WebSocketResponse] = []

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[ScriptedServer]:
        """Listen on a free port until the block ends."""
        server = cls()
        app = web.Application()
        app.router.add_get("/", server._page)
        app.router.add_get("/hang", server._hang)
        app.router.add_post("/ticket", server._ticket)
        app.router.add_get("/connection/websocket", server._socket)
        app.router.add_get("/static/{path:.+}", static_pages().file)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = site.name.replace("127.0.0.1:0", f"127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield server
        finally:
            await runner.cleanup()

    async def connected(self, times: int) -> None:
        """Wait until clients have connected this many times in total."""
        await eventually(lambda: self.connects >= times)

    async def one_open(self) -> None:
        """Wait until exactly one connection is open."""
        await eventually(lambda: len(self.open) == 1)

    async def send(self, *messages: Message) -> None:
        """Send messages in one frame to every connection."""
        await self.send_text("\n".join(json.dumps(message) for message in messages))

    async def send_text(self, frame: str) -> None:
        """Send a text frame to every connection, whatever is in it."""
        for socket in list(self.open):
            await socket.send_str(frame)

    async def publish(self, offset: int, data: object, *, channel: str = "feed") -> None:
        """Send a publication to every connected client and keep it in the history."""
        if channel == "feed":
            self.history.append((offset, data))
        for socket in list(self.listening):
            await socket.send_json(publication(offset, data, channel=channel))

    async def close(self, code: int, reason: str = "because") -> None:
        """Close every connection."""
        for socket in list(self.open):
            await socket.close(code=code, message=reason.encode())

    @asynccontextmanager
    async def hang(self) -> AsyncIterator[None]:
        """Delay the response to `GET /hang` until the block ends."""
        try:
            yield
        finally:
            self._hanging.set()

    def sent(self, method: str) -> list[Message]:
        """Return the parameters of every command of a method."""
        return [command[method] for command in self.commands if method in command]

    async def _page(self, _request: web.Request) -> web.Response:
        # With these headers the browser may keep the page in its back/forward cache.
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return web.Response(text="<!doctype html><title>live</title>", content_type="text/html", headers=headers)

    async def _hang(self, _request: web.Request) -> web.Response:
        await self._hanging.wait()
        return web.Response()

    async def _ticket(self, _request: web.Request) -> web.Response:
        self.tickets += 1
        url = self.url.replace("http", "ws") + "/connection/websocket"
        ticket = {"token": f"ticket {self.tickets}", "url": url}
        headers = {"Retry-After": str(self.retry_after)}
        return web.json_response(ticket, status=self.ticket_status, headers=headers)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open.append(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not self.mute:
                    await self._take(socket, message.data)
        finally:
            self.open.remove(socket)
            if socket in self.listening:
                self.listening.remove(socket)
        return socket

    async def _take(self, socket: web.WebSocketResponse, frame: str) -> None:
        for line in frame.split("\n"):
            command = json.loads(line)
            self.commands.append(command)
            method = next((name for name in command if name != "id"), None)
            if method is None:
                continue
            reply = self._reply(command["id"], method, command[method])
            if method == "connect" and "error" not in reply:
                self.listening.append(socket)
            await socket.send_json(reply)

    def _reply(self, number: int, method: str, parameters: Message) -> Message:
        refusal = self.refuse.get(parameters.get("channel", method))
        if refusal is not None:
            return {"id": number, "error": refusal}
        if method != "connect":
            return {"id": number, method: {}}
        self.connects += 1
        return {"id": number, "connect": {"client": "c", "ping": 25, "pong": True, **self._result(parameters)}}

    def _result(self, parameters: Message) -> Message:
        if self.results:
            return self.results.pop(0) if len(self.results) > 1 else self.results[0]
        newest = max((offset for offset, _ in self.history), default=0)
        requested = parameters["subs"].get("feed")
        if requested is None:
            return stream(newest)
        missed = [{"offset": offset, "data": data} for offset, data in self.history if offset > requested["offset"]]
        return stream(newest, recovered=True, was_recovering=True, publications=missed)


def publication(offset: int, data: object, *, channel: str = "feed") -> Message:
    """Return the push message of a publication."""
    return {"push": {"channel": channel, "pub": {"offset": offset, "data": data}}}


def stream(offset: int, *, epoch: str = "e", **more: object) -> Message:
    """Return a connect result that subscribes to `feed` at an offset."""
    return {"subs": {"feed": {"recoverable": True, "positioned": True, "epoch": epoch, "offset": offset, **more}}}
