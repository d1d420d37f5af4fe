"""Receive a photo: stream a multipart form into a temporary file, hash it on the way, and check its header.

At most `_PIECE` bytes of an image are in memory, and files are written and read in threads. Pixels are decoded only by
the media worker, in a process of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from server.edge.body import BodyPace, BodyReader, SlowBodyError, body_timeout, refuse_encoding
from server.edge.endpoint import FILE_FIELD
from server.edge.problems import ProblemError, bad_field
from server.edge.requests import MAX_TAGS, PhotoMetadata
from server.media.image_header import BadImageError, NotAnImageError, UnsupportedImageError, read_header
from server.media.multipart import FormParser, MultipartError, PartBegin, PartData
from workers.images.limits import MAX_SIDE
from workers.images.structure import ImageHeader

PREFIX = "upload-"  # of temporary files, by which those of a killed process are recognised
_PIECE = 256 * 1024
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
class UploadLimits:
    """Limits of an uploaded image: its bytes and pixels.

    The defaults of the settings are in the section `[upload]`.
    """

    max_bytes: int
    max_pixels: int


class UploadReceiver:
    """Receive uploads into `directory`, which is best on the file system of the blobs."""

    def __init__(self, directory: Path, limits: UploadLimits, pace: BodyPace) -> None:
        self._directory = directory
        self._limits = limits
        self._pace = pace

    @asynccontextmanager
    async def receive(self, request: web.Request) -> AsyncIterator[Upload]:
        """Yield the upload of a multipart request; its file is removed afterwards unless it was moved.

        Raises `ProblemError`: 400 (not a form), 408 (too slow), 413, 415, 422 (no valid image).
        """
        limits = self._limits
        refuse_encoding(request)
        if (request.content_length or 0) > limits.max_bytes + _FORM_OVERHEAD:
            raise _too_large(limits.max_bytes)
        spool = await asyncio.to_thread(_Spool.create, self._directory, limits.max_bytes)
        try:
            form = _Form(request.headers.get("Content-Type", ""), spool)
            await self._read(request, form)
            await spool.finish()
            header = await asyncio.to_thread(self._check, spool.path)
            yield Upload(
                path=spool.path, sha256=spool.sha256, size=spool.size, header=header, texts=form.decoded_texts()
            )
        except MultipartError as error:
            raise _bad_form(error) from error
        finally:
            await asyncio.to_thread(spool.remove)

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
        if not form.has_file:
            raise bad_field(FILE_FIELD, "The form has no file. Send the image in this field.", status=422)

    async def _feed(self, request: web.Request, form: _Form) -> None:
        reader, limit, total = BodyReader(request.content, self._pace), self._limits.max_bytes, 0
        # The body is read to its end, not to the end of the form: the bytes after the final boundary count, too, and
        # a body that is shorter than declared is incomplete even if its form is whole.
        while piece := await reader.read():
            total += len(piece)
            if total > limit + _FORM_OVERHEAD:
                raise _too_large(limit)
            for start in range(0, len(piece), _SLICE):
                await form.feed(piece[start : start + _SLICE])

    def _check(self, path: Path) -> ImageHeader:
        try:
            with path.open("rb") as file:
                header = read_header(file)
        except NotAnImageError as error:
            raise ProblemError(415, "unsupported_media_type", f"{error} Send a JPEG or PNG.") from error
        except UnsupportedImageError as error:
            raise ProblemError(415, "unsupported_media_type", str(error)) from error
        except BadImageError as error:
            raise _rejected(422, "image_corrupt", str(error)) from error
        size = f"The image has {header.width} × {header.height} pixels"
        if header.pixels >= self._limits.max_pixels:
            detail = f"{size}; it must have fewer than {self._limits.max_pixels} in all."
            raise _rejected(413, "image_too_large", detail)
        if max(header.width, header.height) > MAX_SIDE:
            raise _rejected(413, "image_too_large", f"{size}; it may have at most {MAX_SIDE} on a side.")
        if header.frames > 1:
            raise _rejected(422, "image_animated", "The image is an animation. Send a still image.")
        return header


class _Form:
    """The parts of a form: the file goes to the spool, texts are kept in memory."""

    def __init__(self, content_type: str, spool: _Spool) -> None:
        if not content_type.lower().startswith("multipart/form-data"):
            raise ProblemError(
                415, "unsupported_media_type", "Send a form, with the header Content-Type: multipart/form-data."
            )
        self._parser = FormParser(content_type, max_parts=_MAX_PARTS)
        self._spool = spool
        self._name = ""
        self._texts: dict[str, list[bytearray]] = {}
        self.has_file = False

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
        if name != FILE_FIELD:
            self._texts.setdefault(name, []).append(bytearray())
        elif self.has_file:
            raise bad_field(FILE_FIELD, "Send only one file.", status=422)
        else:
            self.has_file = True

    async def _data(self, data: bytes) -> None:
        if self._name == FILE_FIELD:
            await self._spool.add(data)
            return
        text = self._texts[self._name][-1]
        text += data
        if len(text) > _MAX_TEXT:
            raise ProblemError(413, "body_too_large", f"A text field may have at most {_MAX_TEXT} bytes.")


@dataclass
class _Spool:
    """A temporary file that is written and hashed piece by piece, in threads."""

    path: Path
    descriptor: int
    limit: int
    size: int = 0
    sha256: str = ""
    _pending: bytearray = field(default_factory=bytearray)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    @classmethod
    def create(cls, directory: Path, limit: int) -> _Spool:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=directory)
        return cls(path=Path(name), descriptor=descriptor, limit=limit)

    async def add(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self.limit:
            raise _too_large(self.limit)
        self._pending += data
        if len(self._pending) >= _PIECE:
            piece, self._pending = self._pending, bytearray()
            await asyncio.to_thread(self._write, piece)

    async def finish(self) -> None:
        await asyncio.to_thread(self._write, self._pending)
        self.sha256 = self._hash.hexdigest()

    def remove(self) -> None:
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)

    def _write(self, piece: bytearray) -> None:
        self._hash.update(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self.descriptor, view) :]


def _bad_form(error: MultipartError) -> ProblemError:
    if error.too_large:
        return ProblemError(413, "body_too_large", str(error), headers={"Connection": "close"})
    return ProblemError(400, "malformed_form", str(error), headers={"Connection": "close"})


def _too_large(limit: int) -> ProblemError:
    detail = f"A photo may have at most {limit / 1_000_000:g} MB."
    return ProblemError(413, "photo_too_large", detail, errors=[(FILE_FIELD, detail)], headers={"Connection": "close"})


def _rejected(status: int, code: str, detail: str) -> ProblemError:
    return ProblemError(status, code, detail, errors=[(FILE_FIELD, detail)])
