"""The files of the web application: one page for every client-side route, and its modules under `/static`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from server.edge.authentication import CSRF_COOKIE
from server.edge.docs_site import DocsSite
from server.edge.first_responses import FirstResponses, PageState
from server.edge.first_view import with_state
from server.edge.languages import VARY, language_of
from server.edge.localized_pages import LocalizedPages
from server.edge.middleware import PAGE_POLICY, opens_page
from server.edge.static_files import INDEX, SIGN_IN, SITE, StaticFile, StaticFiles, StaticVersion, sent_once

# Modules that pages of other origins may import: the live client (docs/live.md).
_PUBLIC_MODULES = ("live.js", "live/")
# Around the title and the description in index.html, in place of which a link to a photo or profile has its own.
_HEAD, _HEAD_END = b"<!-- head of this page -->", b"<!-- end -->"
# The theme that the user has chosen for this browser (static/js/elements/theme.js): the page is drawn with it at once.
_THEME, _THEMES = "picshare_theme", ("light", "dark")
_ASK_EACH_TIME = "no-cache"
_NEVER_KEEP = "no-store"
_SIGN_IN_PATHS = ("/", "/signin")
_KEEP = "public, max-age=31536000, immutable"

# Paths that the application routes in the browser (see static/js/app.js and static/js/settings/settings_paths.js).
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
    "/settings/provider",
    "/settings/security",
    "/settings/sessions",
    "/settings/applications",
    "/settings/tokens",
    "/settings/developer",
    "/settings/privacy",
    "/settings/appearance",
    "/settings/close-friends",
    "/settings/notifications",
    "/settings/blocked",
    "/settings/webhooks",
    "/settings/webhooks/{id}",
    "/settings/data",
    "/settings/reports",
    "/settings/decisions",
    "/settings/deletion",
    "/decisions",
    "/moderation",
    "/moderation/{id}",
    "/p/{id}",
    "/u/{username}",
    "/u/{username}/{list:followers|following}",
    "/signin",
    "/signin/provider",
    "/signup",
    "/forgot",
    "/oauth/authorize",
    "/design",
)
# Pages that links in mails lead to, with a token in the fragment.
LINK_ROUTES = ("/verify", "/reset", "/email-change")


Head = Callable[[web.Request], Awaitable[str | None]]


class Pages:
    """The files of one directory, and none outside it.

    `head` returns what the head of the application's page has in place of the general title, or None. `first` are the
    responses that users who are signed in get with it.
    """

    def __init__(self, directory: Path, head: Head | None = None, first: FirstResponses | None = None) -> None:
        self._files = StaticFiles(directory)
        self._site = DocsSite(directory / SITE)
        self._head = head
        self._first = first
        self._localized = LocalizedPages()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the pages and their files."""
        return [
            *(web.get(path, self.index) for path in CLIENT_ROUTES),
            *(web.get(path, self.link) for path in LINK_ROUTES),
            web.get("/docs", self.docs),
            *self._site.routes(),
            web.get("/sw.js", self.worker),
            web.post("/share", self.share),
            web.get("/static/{path:.+}", self.file),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Return the application's page, with what it shows first as far as that is known."""
        head = None if self._head is None else await self._head(request)
        state = None if self._first is None else await self._first.of(request)
        name = SIGN_IN if _begins_with_sign_in(request) else INDEX
        return await self._page(request, name, head=head, state=state, localized=True)

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Return the application's page, which names itself to no other address."""
        return await self._page(request, INDEX, {"Referrer-Policy": "no-referrer"}, localized=True)

    async def docs(self, request: web.Request) -> web.StreamResponse:
        """Return the page that shows the API's documentation."""
        return await self._page(request, "docs/index.html")

    async def explorer(self, request: web.Request) -> web.StreamResponse:
        """Return the page that explores the GraphQL interface."""
        return await self._page(request, "graphql/index.html")

    async def worker(self, request: web.Request) -> web.StreamResponse:
        """Return the service worker, at the root, since a worker serves only the paths below its own.

        The policy of its response is that of its own requests.
        """
        return await self._page(request, "sw.js")

    async def share(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        """Lead to the page for new photos, without what another application shares with the installed one.

        The service worker takes that, and passes nothing on. A browser without it chooses the files on the page.
        """
        raise web.HTTPSeeOther("/new")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Return a file; browsers keep it if its URL has the version, and revalidate it each time otherwise.

        The URL of another version, of before or after an update, has the present file, which is not to be kept.
        """
        version, (named, path) = await self._current(), _split(request.match_info["path"])
        headers = {"Cache-Control": _KEEP if named == version.name else _ASK_EACH_TIME}
        if path.startswith(_PUBLIC_MODULES):
            headers["Access-Control-Allow-Origin"] = "*"
        return _send(request, version, path, headers)

    async def _page(
        self,
        request: web.Request,
        name: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        head: str | None = None,
        state: PageState | None = None,
        localized: bool = False,
    ) -> web.StreamResponse:
        page = {"Cache-Control": _ASK_EACH_TIME, "Content-Security-Policy": PAGE_POLICY, **headers}
        version = await self._current()
        file = _find(version, name)
        if localized:
            language = language_of(request)
            file = self._localized.page(version, name, file, language)
            page |= {"Content-Language": language, "Vary": VARY}
        if head is not None:
            file = _with_head(file, head)
        theme = request.cookies.get(_THEME)
        if theme in _THEMES:
            file = _with_theme(file, theme)
        if state is None:
            return file.response(request, page)
        # The way back must not lead to what another user of the browser has seen.
        page["Cache-Control"] = _NEVER_KEEP
        return sent_once(request, file.content_type, with_state(file.body, state), page)

    async def _current(self) -> StaticVersion:
        return await asyncio.to_thread(self._files.current) if self._files.due else self._files.current()


def _begins_with_sign_in(request: web.Request) -> bool:
    """Return whether a browser opens the page as a visitor. The service worker stores the page without a view."""
    return request.path in _SIGN_IN_PATHS and CSRF_COOKIE not in request.cookies and opens_page(request)


def _split(path: str) -> tuple[str | None, str]:
    """Return the version that a path below `/static` names, if any, and the path of the file."""
    version, _, rest = path.partition("/")
    return (version.removeprefix("v-"), rest) if version.startswith("v-") else (None, path)


def _send(request: web.Request, version: StaticVersion, path: str, headers: dict[str, str]) -> web.Response:
    return _find(version, path).response(request, headers)


def _find(version: StaticVersion, path: str) -> StaticFile:
    file = version.find(path)
    if file is None:
        raise web.HTTPNotFound
    return file


def _with_theme(page: StaticFile, theme: str) -> StaticFile:
    """Return a page that has a theme other than that of the system; what is no page stays as it is."""
    body = page.body.replace(b"<html ", f'<html data-theme="{theme}" '.encode(), 1)
    return StaticFile.of(page.content_type, body)


def _with_head(page: StaticFile, head: str) -> StaticFile:
    """Return a page with other tags in place of its title and description."""
    before, _, rest = page.body.partition(_HEAD)
    return StaticFile.of(page.content_type, b"".join((before, head.encode(), rest.partition(_HEAD_END)[2])))
