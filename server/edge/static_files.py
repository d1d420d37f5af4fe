"""The files of the web application in memory, with a version in their URLs so that browsers keep them.

The version is a hash of all files. A page refers to its modules, styles and icons below `/static/v-<version>/`, and the
modules import each other by relative paths, so the files of a page are always those of one version. A browser
keeps them for a year without asking again, and loads the next version as soon as a page refers to it. In place of
single modules and styles, a page refers to joined ones (`server.edge.joined_modules`).
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import brotli
import structlog
from aiohttp import web

from locales.page_modules import page_modules
from server.edge.first_view import with_sign_in
from server.edge.joined_modules import FOLDER, WORKER, ModuleFormError, joined_files
from server.edge.localized_manifests import localized_manifests
from server.edge.service_worker import with_shell

log = structlog.get_logger(__name__)

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# The documentation, a site of its own (`server.edge.docs_site`): it is not part of the version of the application.
SITE = "site"
_MIN_COMPRESSED = 512  # bytes; a smaller file fits into one packet anyway
# The application's page, and the same with the text that visitors see first.
INDEX, SIGN_IN = "index.html", "sign_in.html"
# Qualities of Brotli. A process compresses all files when it starts: in 40 ms, or 600 ms with the better one, which is
# for the joined files alone.
_QUICK, _GOOD = 5, 9
_REFRESH_INTERVAL = 1.0  # seconds between looks at the directory
_UNVERSIONED, _VERSIONED = "/static/", "/static/v-{}/"
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class StaticFile:
    """The content of a file, its compressed forms, its content type and its entity tag without quotes.

    `encodings` are those that are smaller, by their names in HTTP, the one to be preferred first.
    """

    body: bytes
    encodings: Mapping[str, bytes]
    content_type: str
    tag: str

    @classmethod
    def of(cls, content_type: str, body: bytes, *, brotli_quality: int = _QUICK) -> StaticFile:
        """Return the file with a content."""
        encodings = {}
        if len(body) >= _MIN_COMPRESSED:
            encodings = {"br": brotli.compress(body, quality=brotli_quality), "gzip": gzip.compress(body, mtime=0)}
        smaller = {name: encoded for name, encoded in encodings.items() if len(encoded) < len(body)}
        return cls(body, MappingProxyType(smaller), content_type, hashlib.sha256(body).hexdigest()[:32])

    def response(self, request: web.Request, headers: Mapping[str, str]) -> web.Response:
        """Return the file for a request, compressed as the client accepts it, or a 304 if the client has it."""
        # The tag is weak, because it is the same for all encodings (RFC 9110, 8.8.3.3).
        vary = ", ".join(filter(None, ("Accept-Encoding", headers.get("Vary"))))
        sent = {**headers, "ETag": f'W/"{self.tag}"', "Vary": vary}
        if any(known.value in {self.tag, "*"} for known in request.if_none_match or ()):
            return web.Response(status=304, headers=sent)
        sent["Content-Type"] = self.content_type
        for name in self.encodings:
            if name in _accepted(request):
                return web.Response(body=self.encodings[name], headers={**sent, "Content-Encoding": name})
        return web.Response(body=self.body, headers=sent)


def sent_once(request: web.Request, content_type: str, body: bytes, headers: Mapping[str, str]) -> web.Response:
    """Return a response whose body is no other request's, compressed quickly as the client accepts it."""
    sent = {**headers, "Content-Type": content_type}
    accepted = _accepted(request)
    if "br" in accepted:
        return web.Response(body=brotli.compress(body, quality=_QUICK), headers={**sent, "Content-Encoding": "br"})
    if "gzip" in accepted:
        return web.Response(body=gzip.compress(body, 5, mtime=0), headers={**sent, "Content-Encoding": "gzip"})
    return web.Response(body=body, headers=sent)


def _accepted(request: web.Request) -> set[str]:
    """Return the encodings that a client accepts (RFC 9110, 12.5.3)."""
    listed = (part.partition(";") for part in request.headers.get("Accept-Encoding", "").lower().split(","))
    return {name.strip() for name, _, weight in listed if weight.replace(" ", "") not in {"q=0", "q=0.0"}}


@dataclass(frozen=True, slots=True)
class StaticVersion:
    """The files of one version by their paths in the directory."""

    name: str
    files: Mapping[str, StaticFile]

    def find(self, path: str) -> StaticFile | None:
        """Return the file at a path, None if there is none."""
        return self.files.get(posixpath.normpath(path))


class StaticFiles:
    """The files of a directory, read again when they change; links that lead out of it are left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._stamp: _Stamp | None = None
        self._looked_at = -_REFRESH_INTERVAL
        self._version = StaticVersion("", {})
        self.current()

    @property
    def due(self) -> bool:
        """Return whether `current` would read the directory."""
        return time.monotonic() - self._looked_at >= _REFRESH_INTERVAL

    def current(self) -> StaticVersion:
        """Return the current version; looks at the directory at most once a second, which blocks for about 2 ms."""
        if self.due:
            self._looked_at = time.monotonic()
            found = dict(self._found())
            stamp = tuple((name, *_stamp(path)) for name, path in sorted(found.items()))
            if stamp != self._stamp:
                self._version = _read(found)
                self._stamp = stamp
        return self._version

    def _found(self) -> Iterator[tuple[str, Path]]:
        inside = (entry for entry in self._directory.iterdir() if entry.name != SITE)
        for path in (path for entry in inside for path in (entry, *entry.rglob("*"))):
            if path.suffix in TYPES and path.is_file() and path.resolve().is_relative_to(self._directory):
                yield path.relative_to(self._directory).as_posix(), path


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _read(paths: Mapping[str, Path]) -> StaticVersion:
    contents = {**page_modules(), **{name: path.read_bytes() for name, path in sorted(paths.items())}}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    version = digest.hexdigest()[:16]
    contents |= localized_manifests(contents)
    try:
        contents |= joined_files(contents, version)
    except ModuleFormError as error:
        # The modules work without being joined, only more slowly.
        log.warning("modules_not_joined", error=str(error))
    if INDEX in contents:
        contents[SIGN_IN] = with_sign_in(contents[INDEX])
    if WORKER in contents:
        contents[WORKER] = with_shell(contents[WORKER], version, contents)
    files = {name: _file(name, content, version) for name, content in contents.items()}
    return StaticVersion(version, MappingProxyType(files))


def _file(name: str, content: bytes, version: str) -> StaticFile:
    suffix = posixpath.splitext(name)[1]
    if suffix == ".html":
        content = content.replace(f'"{_UNVERSIONED}'.encode(), f'"{_VERSIONED.format(version)}'.encode())
    quality = _GOOD if name.startswith(FOLDER) else _QUICK
    return StaticFile.of(TYPES[suffix], content, brotli_quality=quality)
