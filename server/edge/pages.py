"""The files of the web application: one page for every client-side route, and its modules under `/static`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from server.edge.files import FileResponse
from server.edge.middleware import PAGE_POLICY

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
}
# Modules that pages of other origins may import: the live client (docs/live.md).
_PUBLIC_MODULES = ("live.js", "live/")
_TEXT = ("text/", "application/json", "application/manifest", "image/svg")

# Paths that the application routes in the browser (see static/js/app.js and static/js/settings.js).
CLIENT_ROUTES = (
    "/",
    "/discover",
    "/discover/trending",
    "/discover/tags",
    "/tag/{tag}",
    "/new",
    "/notifications",
    "/lists",
    "/lists/{id}",
    "/lists/{id}/accounts",
    "/saved",
    "/c/{id}",
    "/settings",
    "/settings/profile",
    "/settings/account",
    "/settings/privacy",
    "/settings/close-friends",
    "/settings/notifications",
    "/settings/blocked",
    "/settings/webhooks",
    "/settings/webhooks/{id}",
    "/settings/data",
    "/settings/decisions",
    "/settings/deletion",
    "/decisions",
    "/moderation",
    "/moderation/{id}",
    "/p/{id}",
    "/u/{username}",
    "/u/{username}/{list:followers|following}",
    "/signin",
    "/signup",
    "/forgot",
)
# Pages that links in mails lead to, with a token in the fragment.
LINK_ROUTES = ("/verify", "/reset", "/email-change")


class Pages:
    """The files of one directory, and none outside it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the pages and their files."""
        return [
            *(web.get(path, self.index) for path in CLIENT_ROUTES),
            *(web.get(path, self.link) for path in LINK_ROUTES),
            web.get("/docs", self.docs),
            web.get("/offline", self.offline),
            web.get("/sw.js", self.worker),
            web.get("/static/{path:.+}", self.file),
        ]

    async def index(self, _request: web.Request) -> web.StreamResponse:
        """Return the application's page."""
        return await self._page("index.html")

    async def link(self, _request: web.Request) -> web.StreamResponse:
        """Return the application's page, which names itself to no other address."""
        return await self._page("index.html", {"Referrer-Policy": "no-referrer"})

    async def docs(self, _request: web.Request) -> web.StreamResponse:
        """Return the page that shows the API's documentation."""
        return await self._page("docs/index.html")

    async def offline(self, _request: web.Request) -> web.StreamResponse:
        """Return the page that the service worker shows without a connection."""
        return await self._page("offline/index.html")

    async def worker(self, _request: web.Request) -> web.StreamResponse:
        """Return the service worker, at the root, since a worker serves only the paths below its own.

        The policy of its response is that of its own requests.
        """
        return await self._page("sw.js")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Return a file; browsers revalidate it each time."""
        path, headers = request.match_info["path"], {"Cache-Control": "no-cache"}
        if path.startswith(_PUBLIC_MODULES):
            headers["Access-Control-Allow-Origin"] = "*"
        return await self._send(path, headers)

    async def _page(self, name: str, headers: Mapping[str, str] = MappingProxyType({})) -> web.StreamResponse:
        page = {"Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY}
        return await self._send(name, {**page, **headers})

    async def _send(self, name: str, headers: dict[str, str]) -> web.StreamResponse:
        path = await asyncio.to_thread(self._find, name)
        if path is None:
            raise web.HTTPNotFound
        kind = _TYPES[path.suffix]
        charset = "; charset=utf-8" if kind.startswith(_TEXT) else ""
        return FileResponse(path, headers={**headers, "Content-Type": kind + charset})

    def _find(self, name: str) -> Path | None:
        try:
            path = (self._directory / name).resolve()
        except (OSError, ValueError):  # a name with NUL, or one too long
            return None
        inside = path.is_relative_to(self._directory) and path.suffix in _TYPES
        return path if inside and path.is_file() else None
