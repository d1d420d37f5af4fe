"""The documentation as a site, at `/docs/`: what `mkdocs.yml` makes of docs/, read when it is asked for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from server.edge.middleware import PAGE_POLICY, opens_page
from server.edge.problem import ProblemError
from server.edge.static_files import TYPES, StaticFile

# A build removes the former site, and writes this file last. While it is missing, the site is not complete.
_LAST = "search/search_index.json"
_MISSING = "404.html"
_CACHED = "no-cache"  # browsers keep a file, and ask each time whether it has changed
# The scripts in a page without those that a browser does not execute, which have a type.
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Page:
    """A file and the Content-Security-Policy of its response."""

    file: StaticFile
    policy: str


@dataclass(frozen=True, slots=True)
class _Build:
    """The files that one build has made, by their paths in the site, and those of them that were read."""

    stamp: tuple[int, int]
    paths: Mapping[str, Path]
    pages: dict[str, _Page] = field(default_factory=dict)

    def page(self, name: str) -> _Page | None:
        """Return a file, None if there is none; reads it once."""
        page = self.pages.get(name)
        if page is None and name in self.paths:
            page = self.pages[name] = _read(self.paths[name])
        return page


class DocsSite:
    """The site in a directory, or a sentence on how to build it.

    The first request reads the list of files, and each file is read, compressed and kept when it is first asked for,
    so that a process does not start later. Paths of requests are looked up in that list, never in the file system.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._build: _Build | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return the route of the site. `/docs` without a slash is another page: the reference of the API."""
        return [web.get("/docs/{path:.*}", self.page)]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Return a file of the site; 404 if there is none, with the site's own page for browsers.

        The address of a page ends in a slash; without it the response is a redirect.
        """
        path = request.match_info["path"]
        name = f"{path}index.html" if path == "" or path.endswith("/") else path
        build, page = await asyncio.to_thread(self._find, name)
        if page is not None:
            return page.file.response(request, _headers(page))
        if f"{path}/index.html" in build.paths:
            return web.Response(status=308, headers={"Location": f"{request.rel_url.raw_path}/"})
        _, missing = await asyncio.to_thread(self._find, _MISSING)
        if missing is None or not opens_page(request):
            raise web.HTTPNotFound
        headers = {**_headers(missing), "Content-Type": missing.file.content_type}
        return web.Response(status=404, body=missing.file.body, headers=headers)

    def _find(self, name: str) -> tuple[_Build, _Page | None]:
        """Return the present build and a file of it."""
        try:
            status = (self._directory / _LAST).stat()
        except OSError as error:
            raise ProblemError(
                404,
                "docs_not_built",
                "The documentation is not part of this installation. Run `make docs` in a copy of the repository.",
            ) from error
        build, stamp = self._build, (status.st_mtime_ns, status.st_size)
        if build is None or build.stamp != stamp:
            self._build = build = _Build(stamp, _files_in(self._directory.resolve()))
        try:
            return build, build.page(name)
        except OSError:
            # The site is being built again, and the file is gone; the next request sees the new one.
            return build, None


def _files_in(directory: Path) -> dict[str, Path]:
    """Return the files of a directory that are of a known type; links that lead out of it are left out."""
    return {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.suffix in TYPES and path.is_file() and path.resolve().is_relative_to(directory)
    }


def _read(path: Path) -> _Page:
    body = path.read_bytes()
    # The scripts and styles of the theme's files come from this origin. Its pages have short scripts in addition.
    scripts = _SCRIPT.findall(body) if path.suffix == ".html" else []
    hashes = dict.fromkeys(base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts)
    sources = " ".join(("'self'", *(f"'sha256-{each}'" for each in hashes)))
    return _Page(StaticFile.of(TYPES[path.suffix], body), f"{PAGE_POLICY}; script-src {sources}")


def _headers(page: _Page) -> dict[str, str]:
    return {"Cache-Control": _CACHED, "Content-Security-Policy": page.policy}
