"""Responses from files: conditional requests and ranges as in RFC 9110, and caching of what is right alone.

aiohttp's `FileResponse` sends the file. This one corrects five things: an error is a problem as all others are, it does
not keep the file's `Cache-Control`, a range that cannot be served is ignored instead of refused, `If-Range` also
compares entity tags, and the entity tag can be one that does not depend on when the file was written.
"""

from __future__ import annotations

import asyncio
import errno
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import ETag, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from server.edge.problem import ProblemError, unexpected
from server.edge.problem_responses import render
from server.edge.problems import problem_of
from storage.errors import UnavailableError

_OF_THE_FILE = {200, 206, 304}  # statuses that describe the file itself
_ONE_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-[0-9]{0,17}[1-9][0-9]{0,17})", re.IGNORECASE)
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}
PROBLEMS = {
    412: ProblemError(412, "precondition_failed", "The file is not the one that the conditions of the request name."),
    416: ProblemError(
        416, "range_not_satisfiable", "The range begins behind the end of the file; Content-Range has its length."
    ),
}


class FileResponse(web.FileResponse):
    """A file; `Cache-Control` and the other headers of the file are sent with 200, 206 and 304 alone.

    `tag` is the entity tag without its quotes; without it, it is made of the file's time and size. `missing` is the
    `Cache-Control` of the 404 for a file that is not there any more.
    """

    def __init__(
        self, path: Path, *, headers: Mapping[str, str], tag: str | None = None, missing: str = "no-store"
    ) -> None:
        super().__init__(path, headers=headers)
        self._tag = tag
        self._missing = missing

    _error = b""  # the body, if the file is not sent
    on_status: Callable[[int], None] | None = None  # is called with the status once it is certain

    def set_status(self, status: int, reason: str | None = None) -> None:
        """Set the status, which is 503 if no file can be opened at present."""
        # aiohttp reports any failure to open the file as 404, from within its `except` clause.
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
            status = 503
        super().set_status(status, reason)

    async def _start(self, request: web.BaseRequest) -> AbstractStreamWriter:
        # aiohttp decides on the status while it prepares the response, after every middleware, and calls this to send
        # the head.
        if self.status not in _OF_THE_FILE:
            self._become(_problem_of(self.status), head=request.method == "HEAD")
        elif self._tag is not None:
            self.headers["ETag"] = f'"{self._tag}"'
        if self.on_status is not None:
            self.on_status(self.status)
        return await super()._start(request)

    def _become(self, problem: ProblemError, *, head: bool) -> None:
        response = render(problem, self.headers.get("X-Request-Id", ""))
        self.headers.pop("Content-Disposition", None)
        cache = self._missing if self.status == 404 else "no-store"
        self.headers.update({**response.headers, "Cache-Control": cache})
        body = bytes(response.body) if isinstance(response.body, bytes) else b""
        self.content_length = len(body)
        self._error = b"" if head else body

    def _etag_match(self, etag_value: str, etags: tuple[ETag, ...], *, weak: bool) -> bool:  # type: ignore[override]
        return super()._etag_match(self._tag or etag_value, etags, weak=weak)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the end of the body, which is the whole body of an error."""
        await super().write_eof(data or self._error)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head and the file, or the one range of it that the request wants."""
        if "Range" in request.headers:
            kept = CIMultiDict(request.headers)
            # A server may ignore any Range header (section 14.2); the response is then the whole file.
            if not is_one_range(request) or not await self._is_current(request):
                del kept["Range"]
            kept.popall("If-Range", None)
            request = request.clone(headers=kept)
        return await super().prepare(request)

    async def _is_current(self, request: web.BaseRequest) -> bool:
        """Return whether the validator in `If-Range`, if there is one, is that of the file (section 13.1.5)."""
        validator = request.headers.get("If-Range")
        if validator is None:
            return True
        try:
            stat = await asyncio.to_thread(self._path.stat)
        except OSError:
            return False
        # A weak entity tag never matches. A date must be the one that was sent as Last-Modified.
        if validator == f'"{self._tag or f"{stat.st_mtime_ns:x}-{stat.st_size:x}"}"':
            return True
        date = request.if_range
        return date is not None and date.timestamp() == math.ceil(stat.st_mtime)


def _problem_of(status: int) -> ProblemError:
    if status == 503:
        return problem_of(UnavailableError("file", "no file can be opened")) or unexpected()
    if status in PROBLEMS:
        return PROBLEMS[status]
    return problem_of(web.HTTPForbidden() if status == 403 else web.HTTPNotFound()) or unexpected()


def is_one_range(request: web.BaseRequest) -> bool:
    """Return whether a request wants one range of bytes; any other `Range` header is ignored (RFC 9110, 14.2)."""
    # Several ranges would need a multipart body. Other units, and ranges on other methods, have no meaning here.
    ranges = request.headers.getall("Range")
    match = _ONE_RANGE.fullmatch(ranges[0]) if len(ranges) == 1 and request.method == "GET" else None
    if match is None:
        return False
    first, last = match.groups()
    return first is None or last is None or int(first) <= int(last)
