"""A server behind a cache that answers what a test has written for each path, and records what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.engines.private import free_port


@dataclass(frozen=True)
class Answer:
    """A response; `cache` is its `Cache-Control`."""

    body: bytes = b"image"
    status: int = 200
    cache: str = "public, max-age=31536000, immutable"
    headers: Mapping[str, str] = field(default_factory=dict)


class Origin:
    """Answers by path, 404 without `Cache-Control` by default; WebSockets echo, and uploads are read as they arrive.

    `gate` holds responses back while it is cleared. `received` is the number of bytes of the last body so far.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.answers: dict[str, Answer] = {}
        self.requests: list[web.Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.received = 0
        self._runner: web.AppRunner | None = None

    def count(self, path: str) -> int:
        """Return the number of requests for a path, whatever their queries."""
        return sum(request.path == path for request in self.requests)

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path == "/connection/websocket":
            return await _echo(request)
        if request.body_exists:
            self.received = 0
            async for chunk in request.content.iter_any():
                self.received += len(chunk)
        await self.gate.wait()
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=404)
        headers = {"Cache-Control": answer.cache, "Accept-Ranges": "bytes", **answer.headers}
        return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


@asynccontextmanager
async def running_origin() -> AsyncIterator[Origin]:
    """Run a scripted origin until the end of the block."""
    origin = Origin()
    await origin.start()
    try:
        yield origin
    finally:
        origin.gate.set()
        await origin.stop()
