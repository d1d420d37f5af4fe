"""A proxy in front of a real service that can drop, repeat or reorder the frames of live connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

Tamper = Callable[[str], list[str]]  # maps a frame of the service to the frames for the client
_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}


class TamperingProxy:
    """Forwards requests and live connections to `target`; each of `tampers` changes the frames of one connection."""

    def __init__(self, target: str, *tampers: Tamper) -> None:
        self._target = target
        self._tampers = list(tampers)
        self._http: aiohttp.ClientSession | None = None
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[TamperingProxy]:
        """Listen on a free port until the end of the block."""
        app = web.Application(client_max_size=20_000_000)
        app.router.add_get("/connection/websocket", self._live)
        app.router.add_route("*", "/{path:.*}", self._request)
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as self._http:
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _request(self, request: web.Request) -> web.Response:
        assert self._http is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with self._http.request(
            request.method, self._target + request.path_qs, headers=headers, data=await request.read()
        ) as response:
            passed_on = {name: value for name, value in response.headers.items() if name.lower() not in _HOP}
            return web.Response(status=response.status, headers=passed_on, body=await response.read())

    async def _live(self, request: web.Request) -> web.StreamResponse:
        assert self._http is not None
        tamper: Tamper = self._tampers.pop(0) if self._tampers else lambda frame: [frame]
        near = web.WebSocketResponse()
        await near.prepare(request)
        async with self._http.ws_connect(self._target + request.path) as far:

            async def forward() -> None:
                async for message in near:
                    await far.send_str(message.data)
                await far.close()

            outward = asyncio.create_task(forward())
            async for message in far:
                for frame in tamper(message.data):
                    await near.send_str(frame)
            await near.close(code=far.close_code or 1000)
            outward.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError):
                await outward
        return near
