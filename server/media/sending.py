"""Responses from objects of the blob store: a local file by sendfile, any other object chunk by chunk.

Both answer conditional requests and single ranges as in RFC 9110, sections 13 and 14.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

import structlog
from aiohttp import ETag, web
from aiohttp.abc import AbstractStreamWriter

from server.edge.files import PROBLEMS, FileResponse, is_one_range
from server.edge.problem import ProblemError
from storage.blobs.port import Blob
from storage.errors import StorageError

log = structlog.get_logger(__name__)


def send_blob(
    request: web.Request, blob: Blob, headers: Mapping[str, str], *, tag: str, missing: str = "no-store"
) -> web.StreamResponse:
    """Return the response to a request for an object; raise `ProblemError`.

    `tag` is the entity tag without its quotes, `missing` the `Cache-Control` of the 404 for a file that is not there
    any more.
    """
    if blob.path is not None:
        return FileResponse(blob.path, headers=headers, tag=tag, missing=missing)
    # A date in a header has whole seconds.
    modified = blob.modified.replace(microsecond=0)
    if _is_not_modified(request, tag, modified):
        response = BlobResponse(blob, 0, 0, status=304)
    else:
        wanted = _wanted(request, tag, modified, blob.size)
        start, end = wanted or (0, blob.size)
        response = BlobResponse(blob, start, end, status=200 if wanted is None else 206)
        response.content_length = end - start
        response.headers["Accept-Ranges"] = "bytes"
        if wanted is not None:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    response.headers.update({**headers, "ETag": f'"{tag}"'})
    response.last_modified = modified
    return response


class BlobResponse(web.StreamResponse):
    """The bytes of an object from `start` up to but not including `end`.

    They are sent after the middlewares have completed the headers, as the body of any other response.
    """

    def __init__(self, blob: Blob, start: int, end: int, *, status: int) -> None:
        super().__init__(status=status)
        self._chunks = blob.chunks(start, end) if end > start else None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head and the body."""
        if request.method == "HEAD":
            self._chunks = None
        writer = await super().prepare(request)
        if self._chunks is not None:
            await self._send(request, self._chunks)
        return writer

    async def _send(self, request: web.BaseRequest, chunks: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in chunks:
                await self.write(chunk)
        except StorageError as error:
            # The status has been sent. Only the end of the connection, which this error causes, shows the client that
            # the body is incomplete.
            log.warning("image_cut", path=request.path, error=str(error))
            raise ConnectionResetError("the body of the response is incomplete") from error


def _is_not_modified(request: web.Request, tag: str, modified: datetime) -> bool:
    """Return whether the client has the object already; raise a 412 if it wants another one (section 13.2.2)."""
    wanted = request.if_match
    if wanted is not None:
        if not _names(wanted, tag, weak=False):
            raise _problem(412)
    elif request.if_unmodified_since is not None and modified > request.if_unmodified_since:
        raise _problem(412)
    known = request.if_none_match
    if known is not None:
        return _names(known, tag, weak=True)
    return request.if_modified_since is not None and modified <= request.if_modified_since


def _names(tags: tuple[ETag, ...], tag: str, *, weak: bool) -> bool:
    return any(other.value == "*" or (other.value == tag and (weak or not other.is_weak)) for other in tags)


def _wanted(request: web.Request, tag: str, modified: datetime, size: int) -> tuple[int, int] | None:
    """Return the first byte of the range that a request wants, and the one after its last byte; raise a 416.

    None is the whole object.
    """
    validator = request.headers.get("If-Range")
    if "Range" not in request.headers or not is_one_range(request):
        return None
    if validator is not None and validator != f'"{tag}"' and request.if_range != modified:
        return None
    wanted = request.http_range
    start = wanted.start if wanted.start is not None and wanted.start >= 0 else max(0, size + (wanted.start or 0))
    if start >= size:
        raise _problem(416, {"Content-Range": f"bytes */{size}"})
    return start, size if wanted.stop is None else min(size, wanted.stop)


def _problem(status: int, headers: Mapping[str, str] | None = None) -> ProblemError:
    # Not the known instance: an exception that is raised again and again collects tracebacks.
    known = PROBLEMS[status]
    return ProblemError(status, known.code, known.detail, headers=headers)
