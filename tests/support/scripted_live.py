"""A scripted live endpoint for the load tester's sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from tests.support.eventually import eventually

PATH = "/connection/websocket"
Socket = web.WebSocketResponse


class ScriptedLive:
    """Answers connects with `results` in turn, then always with the last; an error is {"code", "message"}."""

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = [stream_result()]
        self.commands: list[dict[str, Any]] = []
        self.sockets: list[Socket] = []
        self.pongs = 0
        self.refuse: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        self.url = ""

    @asynccontextmanager
    async def serving(self, context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedLive]:
        """Serve on a free port inside the block."""
        app = web.Application()
        app.router.add_get(PATH, self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.url = f"{'wss' if context else 'ws'}://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        try:
            yield self
        finally:
            await asyncio.gather(*(socket.close() for socket in self.sockets))
            await runner.cleanup()

    @property
    def connects(self) -> list[dict[str, Any]]:
        """Return the parameters of every connect command."""
        return [command["connect"] for command in self.commands if "connect" in command]

    async def connected(self, times: int) -> Socket:
        """Wait until that many connects have arrived; return the newest socket."""
        await eventually(lambda: len(self.connects) >= times)
        return self.sockets[-1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.refuse is not None:
            return await self.refuse(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            await self._take(socket, orjson.loads(message.data))
        return socket

    async def _take(self, socket: Socket, command: dict[str, Any]) -> None:
        if not command:
            self.pongs += 1
            return
        self.commands.append(command)
        if "connect" not in command:
            await send(socket, {"id": command["id"], "refresh": {}})
            return
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        name = "error" if "code" in result else "connect"
        await send(socket, {"id": command["id"], name: result})


def stream_result(offset: int = 5, *, ping: float = 25, **more: Any) -> dict[str, Any]:
    """Return a connect result that subscribes to `feed` at an offset."""
    stream = {"recoverable": True, "positioned": True, "epoch": "e", "offset": offset, **more}
    return {"client": "c", "ping": ping, "pong": True, "expires": True, "ttl": 900, "subs": {"feed": stream}}


async def send(socket: Socket, *messages: dict[str, Any]) -> None:
    """Send messages in one frame."""
    await socket.send_str("\n".join(orjson.dumps(message).decode() for message in messages))


def publication(offset: int, caption: str = "") -> dict[str, Any]:
    """Return the push of a photo."""
    data = {"type": "photo.new", "photo": {"caption": caption}}
    return {"push": {"channel": "feed", "pub": {"offset": offset, "data": data}}}
