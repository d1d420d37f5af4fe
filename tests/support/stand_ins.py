"""Processes behind a gateway, played in the process of the test: each response names the process that sent it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from tests.engines.private import free_port

NAME = "X-Stand-In"
_STREAMS = ("/connection/sse", "/live/sse", "/api/v1/live/sse")


@dataclass(frozen=True)
class Received:
    """A request as it arrived behind the gateway; `body` is the number of its bytes."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: int


class StandIn:
    """Answers every request with 200 and its name, or with 503 while it is `draining`.

    A path that ends with `/held` waits for `gate`, one with `/poison` ends the connection, and one with `/long` has
    11 KB of data. Sockets echo, and respond to `NAME` with the name; a stream sends what `send` is given.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.received: list[Received] = []
        self.draining = False
        self.gate = asyncio.Event()
        self.sockets: list[web.WebSocketResponse] = []
        self._streams: list[tuple[web.Request, web.StreamResponse]] = []
        self._ended = asyncio.Event()

    def count(self, path: str) -> int:
        """Return the number of requests for a path."""
        return sum(request.path == path for request in self.received)

    async def send(self, text: str) -> None:
        """Send an event to every open stream."""
        for request, stream in self._streams:
            if request.transport is not None:  # else the client has left
                await stream.write(f"data: {text}\n\n".encode())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StandIn]:
        """Listen until the end of the block."""
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            yield self
        finally:
            self.gate.set()
            self._ended.set()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = len(await request.read())
        self.received.append(Received(request.method, request.path, request.query_string, request.headers, body))
        if self.draining:
            return web.Response(status=503)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._echo(request)
        if request.path in _STREAMS:
            return await self._stream(request)
        if request.path.endswith("/held"):
            await self.gate.wait()
        if request.path.endswith("/poison"):
            assert request.transport is not None
            request.transport.abort()
        if request.path.endswith("/long"):
            return web.json_response(["a photo"] * 1000, headers={NAME: self.name})
        return web.Response(headers={NAME: self.name})

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        socket.headers[NAME] = self.name
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(self.name if message.data == NAME else message.data)
        self.sockets.remove(socket)
        return socket

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={NAME: self.name, "Content-Type": "text/event-stream"})
        await stream.prepare(request)
        self._streams.append((request, stream))
        await self._ended.wait()
        return stream


@asynccontextmanager
async def running_stand_ins(*names: str) -> AsyncIterator[list[StandIn]]:
    """Run stand-ins with these names until the end of the block."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(StandIn(name).running()) for name in names]
