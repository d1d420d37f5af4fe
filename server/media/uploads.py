"""Receive a photo: stream a multipart form into a temporary file, hash it on the way, and check its header.

At most some hundred kilobytes of an image are in memory, and files are written and read in threads. Pixels are decoded
only by the media worker, in a process of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from server.edge.body import BodyPace, BodyReader, SlowBodyError, body_timeout, refuse_encoding
from server.edge.endpoint import FILE_FIELD
from server.edge.photo_requests import PhotoMetadata
from server.edge.problem import ProblemError, bad_field
from server.media.image_checks import UploadLimits, checked_header, checked_remote_header, too_large
from server.media.multipart import FormParser, MultipartError, PartBegin, PartData
from server.media.spool import Spool, SpoolFullError
from server.media.upload_metrics import NoUploadMetrics, UploadMetrics, Way
from server.media.video_checks import HEAD, VideoUploadLimits, checked_remote_video, checked_video, is_video
from storage.blobs.port import Blob
from storage.media_types import VIDEO_TYPES
from storage.texts import MAX_TAGS
from workers.images.structure import ImageHeader

_SLICE = 64 * 1024  # bytes for the parser at a time, because it copies them
_FORM_OVERHEAD = 256 * 1024  # bytes of a form without its file
_MAX_TEXT = 16 * 1024  # bytes of one text field
# Every field with all its tags, and as many parts again: one tag too many is then reported as that.
_MAX_PARTS = 2 * (MAX_TAGS + len(PhotoMetadata.model_fields))


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A received photo: its temporary file, hash, size in bytes and header, and the text fields of the form."""

    path: Path
    sha256: str
    size: int
    header: ImageHeader
    texts: dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images of a form by their fields, and its texts."""

    files: Mapping[str, Upload]
    texts: dict[str, list[str]]


class UploadReceiver:
    """Receive uploads into `directory`, which is best on the file system of the blobs."""

    def __init__(
        self,
        directory: Path,
        limits: UploadLimits,
        videos: VideoUploadLimits,
        pace: BodyPace,
        metrics: UploadMetrics | None = None,
    ) -> None:
        self._directory = directory
        self._limits = limits
        self._videos = videos
        self._pace = pace
        self._metrics = metrics or NoUploadMetrics()

    @asynccontextmanager
    async def receive(self, request: web.Request, *, videos: bool = False) -> AsyncIterator[Upload]:
        """Yield the upload of a multipart request; its file is removed afterwards unless it was moved.

        With `videos` it may be a video, of as many bytes as an image may have.
        Raises `ProblemError`: 400 (not a form), 408 (too slow), 413, 415, 422 (no valid image).
        """
        limits, began = self._limits, time.monotonic()
        refuse_encoding(request)
        if (request.content_length or 0) > limits.max_bytes + _FORM_OVERHEAD:
            raise too_large(limits.max_bytes)
        spool = await asyncio.to_thread(Spool.create, self._directory, limits.max_bytes)
        try:
            form = _Form(request.headers.get("Content-Type", ""), {FILE_FIELD: spool})
            await self._read(request, form)
            if not form.files:
                raise bad_field(FILE_FIELD, "The form has no file. Send the image in this field.", status=422)
            await spool.finish()
            self._metrics.upload_received(way=Way.FORM, seconds=time.monotonic() - began, size=spool.size)
            header = await asyncio.to_thread(_check, spool.path, limits, self._videos if videos else None)
            yield Upload(
                path=spool.path, sha256=spool.sha256, size=spool.size, header=header, texts=form.decoded_texts()
            )
        except SpoolFullError as error:
            raise too_large(limits.max_bytes) from error
        except MultipartError as error:
            raise _bad_form(error) from error
        finally:
            await asyncio.to_thread(spool.remove)

    @asynccontextmanager
    async def receive_images(self, request: web.Request, names: Collection[str]) -> AsyncIterator[Images]:
        """Yield the images of a form in the fields `names`, of which any may be missing, and its texts.

        All together may have as many bytes as one image. Raises as `receive`.
        """
        limits = self._limits
        refuse_encoding(request)
        if (request.content_length or 0) > limits.max_bytes + _FORM_OVERHEAD:
            raise too_large(limits.max_bytes)
        async with AsyncExitStack() as stack:
            spools: dict[str, Spool] = {}
            for name in names:
                spools[name] = spool = await asyncio.to_thread(Spool.create, self._directory, limits.max_bytes)
                stack.push_async_callback(asyncio.to_thread, spool.remove)
            try:
                form = _Form(request.headers.get("Content-Type", ""), spools)
                await self._read(request, form)
            except SpoolFullError as error:
                raise too_large(limits.max_bytes) from error
            except MultipartError as error:
                raise _bad_form(error) from error
            texts, files = form.decoded_texts(), {}
            for name in form.files:
                await spools[name].finish()
                header = await asyncio.to_thread(_check, spools[name].path, limits, None)
                files[name] = Upload(
                    path=spools[name].path,
                    sha256=spools[name].sha256,
                    size=spools[name].size,
                    header=header,
                    texts=texts,
                )
            yield Images(files=files, texts=texts)

    async def header_of(self, blob: Blob) -> ImageHeader:
        """Return the header of an uploaded object, which may be a video; raise `ProblemError`: 413, 415, 422."""
        if blob.path is None:
            beginning = b"".join([chunk async for chunk in blob.chunks(0, HEAD)])
            if is_video(beginning):
                header = await checked_remote_video(blob, beginning, self._videos)
            else:
                header = await checked_remote_header(blob.chunks(), self._limits, videos=self._videos.accepted)
        else:
            header = await asyncio.to_thread(_check, blob.path, self._limits, self._videos)
        limit = self._videos.max_bytes if header.content_type in VIDEO_TYPES else self._limits.max_bytes
        if blob.size > limit:
            raise too_large(limit, header.content_type)
        return header

    async def _read(self, request: web.Request, form: _Form) -> None:
        try:
            await self._feed(request, form)
        except SlowBodyError as error:
            if not form.ended:
                raise body_timeout() from error
            detail = "The form is complete, but its body is shorter than declared in Content-Length."
            raise ProblemError(400, "body_incomplete", detail, headers={"Connection": "close"}) from error
        if not form.ended:
            raise ProblemError(400, "body_incomplete", "The form ended before its final boundary. Send it again.")

    async def _feed(self, request: web.Request, form: _Form) -> None:
        reader, limit, total = BodyReader(request.content, self._pace), self._limits.max_bytes, 0
        # The body is read to its end, not to the end of the form: the bytes after the final boundary count, too, and
        # a body that is shorter than declared is incomplete even if its form is whole.
        while piece := await reader.read():
            total += len(piece)
            if total > limit + _FORM_OVERHEAD:
                raise too_large(limit)
            for start in range(0, len(piece), _SLICE):
                await form.feed(piece[start : start + _SLICE])


class _Form:
    """The parts of a form: files go to the spools of their fields, texts are kept in memory."""

    def __init__(self, content_type: str, spools: Mapping[str, Spool]) -> None:
        if not content_type.lower().startswith("multipart/form-data"):
            raise ProblemError(
                415, "unsupported_media_type", "Send a form, with the header Content-Type: multipart/form-data."
            )
        self._parser = FormParser(content_type, max_parts=_MAX_PARTS)
        self._spools = spools
        self._name = ""
        self._texts: dict[str, list[bytearray]] = {}
        self.files: set[str] = set()

    @property
    def ended(self) -> bool:
        return self._parser.ended

    async def feed(self, piece: bytes) -> None:
        for event in self._parser.feed(piece):
            if isinstance(event, PartBegin):
                self._begin(event.name)
            elif isinstance(event, PartData):
                await self._data(event.data)

    def decoded_texts(self) -> dict[str, list[str]]:
        try:
            return {name: [value.decode() for value in values] for name, values in self._texts.items()}
        except UnicodeDecodeError as error:
            raise bad_field("body", "The text fields of the form must be UTF-8.", status=422) from error

    def _begin(self, name: str) -> None:
        self._name = name
        if name not in self._spools:
            self._texts.setdefault(name, []).append(bytearray())
        elif name in self.files:
            raise bad_field(name, "Send only one file.", status=422)
        else:
            self.files.add(name)

    async def _data(self, data: bytes) -> None:
        if self._name in self._spools:
            await self._spools[self._name].add(data)
            return
        text = self._texts[self._name][-1]
        text += data
        if len(text) > _MAX_TEXT:
            raise ProblemError(413, "body_too_large", f"A text field may have at most {_MAX_TEXT} bytes.")


def _check(path: Path, limits: UploadLimits, videos: VideoUploadLimits | None) -> ImageHeader:
    with path.open("rb") as file:
        beginning = file.read(HEAD)
        file.seek(0)
        if videos is not None and is_video(beginning):
            return checked_video(path, videos)
        return checked_header(file, limits, videos=videos is not None and videos.accepted)


def _bad_form(error: MultipartError) -> ProblemError:
    if error.too_large:
        return ProblemError(413, "body_too_large", str(error), headers={"Connection": "close"})
    return ProblemError(400, "malformed_form", str(error), headers={"Connection": "close"})
