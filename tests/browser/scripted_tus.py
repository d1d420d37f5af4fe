"""A scripted tus server that replaces the real one in tests of the browser's resumable uploads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from server.edge.middleware import PAGE_POLICY
from tests.browser.scripted_server import static_pages

PATH = "/api/v1/uploads/tus"


class ScriptedTus:
    """Serve an empty page, the modules, and tus 1.0 as far as the page's client needs it.

    `cuts` are numbers of bytes after which the next requests with a body break; what arrived before counts.
    `refusals` are responses to the next requests of a method: `(status, problem, headers)`. A `mute` server reads
    PATCH requests and sends no response. `origin` comes before the path in `Location`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.origin = ""
        self.cuts: list[int] = []
        self.refusals: dict[str, list[tuple[int, dict[str, object], dict[str, str]]]] = {}
        self.mute = False
        self._ending = asyncio.Event()
        self.uploads: dict[str, bytearray] = {}
        self.lengths: dict[str, int] = {}
        self.requests: list[str] = []

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[ScriptedTus]:
        """Listen on a free port until the block ends."""
        server = cls()
        app = web.Application(client_max_size=1 << 30)
        app.router.add_get("/", server._page)
        app.router.add_get("/static/{path:.+}", static_pages().file)
        app.router.add_post(PATH, server._create)
        app.router.add_route("HEAD", PATH + "/{id}", server._head)
        app.router.add_patch(PATH + "/{id}", server._append)
        app.router.add_delete(PATH + "/{id}", server._delete)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = site.name.replace("127.0.0.1:0", f"127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield server
        finally:
            server._ending.set()
            await runner.cleanup()

    def refuse(
        self, method: str, status: int, code: str = "", *, retry_after: int | None = None, times: int = 1
    ) -> None:
        """Refuse the next requests of a method."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        problem: dict[str, object] = {"status": status, "code": code, "detail": f"refused with {code}"}
        self.refusals.setdefault(method, []).extend([(status, problem, headers)] * times)

    def begun(self, received: bytes, length: int) -> str:
        """Return the path of an upload of which some bytes have arrived before."""
        name = f"u{len(self.uploads)}"
        self.uploads[name], self.lengths[name] = bytearray(received), length
        return f"{PATH}/{name}"

    async def _page(self, _request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return web.Response(text="<!doctype html><title>tus</title>", content_type="text/html", headers=headers)

    async def _create(self, request: web.Request) -> web.Response:
        self._record(request)
        path = self.begun(b"", int(request.headers["Upload-Length"]))
        return web.Response(status=201, headers={"Location": self.origin + path})

    async def _head(self, request: web.Request) -> web.Response:
        name = self._record(request)
        headers = {"Upload-Offset": str(len(self.uploads[name])), "Upload-Length": str(self.lengths[name])}
        return web.Response(headers={**headers, "Cache-Control": "no-store"})

    async def _append(self, request: web.Request) -> web.Response:
        name = self._record(request)
        received = self.uploads[name]
        assert request.content_type == "application/offset+octet-stream"
        if int(request.headers["Upload-Offset"]) != len(received):
            # Chromium repeats a request by itself if its connection breaks that was used before.
            raise _Refused(409, {"status": 409, "code": "offset_conflict"}, {})
        if self.cuts:
            await self._cut(request, received, self.cuts.pop(0))
        else:
            received += await request.read()
        if self.mute:
            await self._ending.wait()
        return web.Response(status=204, headers={"Upload-Offset": str(len(received))})

    async def _cut(self, request: web.Request, received: bytearray, after: int) -> None:
        received += await request.content.readexactly(after)
        assert request.transport is not None
        request.transport.abort()

    async def _delete(self, request: web.Request) -> web.Response:
        del self.uploads[self._record(request)]
        return web.Response(status=204)

    def _record(self, request: web.Request) -> str:
        """Record a request, and return the name of its upload; raise the next refusal."""
        assert request.headers["Tus-Resumable"] == "1.0.0"
        assert request.headers["X-CSRF-Token"] == "csrf"
        self.requests.append(f"{request.method} {request.headers.get('Upload-Offset', '')}".strip())
        if self.refusals.get(request.method):
            status, problem, headers = self.refusals[request.method].pop(0)
            raise _Refused(status, problem, headers)
        name = request.match_info.get("id", "")
        if name and name not in self.uploads:
            raise _Refused(404, {"status": 404, "code": "upload_not_found"}, {})
        return name


class _Refused(web.HTTPException):
    status_code = 500

    def __init__(self, status: int, problem: dict[str, object], headers: dict[str, str]) -> None:
        self.status_code = status
        response = web.json_response(problem)
        super().__init__(headers=headers, text=response.text, content_type="application/problem+json")
