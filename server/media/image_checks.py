"""What an upload must be before it is accepted: the errors of its header, for the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from locales.sentences import marked
from locales.sentences import sentence as made_of
from server.edge.endpoint import FILE_FIELD
from server.edge.problem import ProblemError
from server.media.image_header import BadImageError, NotAnImageError, UnsupportedImageError, read_header, sentence
from storage.media_types import VIDEO_TYPES
from workers.images import formats
from workers.images.structure import ImageHeader, StructureError

_KINDS = {"application/zip": "archive"}
_MOST_MEGABYTES = {
    "photo": marked("A photo may have at most {most} MB."),
    "video": marked("A video may have at most {most} MB."),
    "archive": marked("An archive may have at most {most} MB."),
}
_FIRST = 256 * 1024  # bytes in which most headers end
_LAST = 16 * 1024 * 1024  # bytes in which every accepted header ends; twice as many metadata as are accepted


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """Limits of an uploaded image: its bytes and pixels.

    The defaults of the settings are in the section `[upload]`.
    """

    max_bytes: int
    max_pixels: int


def checked_header(file: BinaryIO, limits: UploadLimits, *, videos: bool = False) -> ImageHeader:
    """Return the header of an image; blocks. Raises `ProblemError`: 413, 415, 422.

    With `videos`, the file could also have been a video, and the error for another type says so.
    """
    try:
        header = read_header(file)
    except NotAnImageError as error:
        detail = f"{str(error).removesuffix('.')}, or an MP4 or QuickTime video." if videos else str(error)
        raise ProblemError(415, "unsupported_media_type", detail) from error
    except UnsupportedImageError as error:
        raise ProblemError(415, "unsupported_media_type", str(error)) from error
    except BadImageError as error:
        raise _rejected(422, "image_corrupt", str(error)) from error
    try:
        formats.check_size(header, limits.max_pixels)
    except StructureError as error:
        raise _rejected(413, "image_too_large", sentence(error)) from error
    return header


async def checked_remote_header(
    chunks: AsyncIterator[bytes], limits: UploadLimits, *, videos: bool = False
) -> ImageHeader:
    """Return the header of an image in a remote store, from as few of its first bytes as are needed.

    Raises `ProblemError` like `checked_header`.
    """
    start, wanted = bytearray(), _FIRST
    async for chunk in chunks:
        start += chunk
        if len(start) >= wanted:
            try:
                return checked_header(BytesIO(start), limits, videos=videos)
            except ProblemError as error:
                # The header may go on behind these bytes, unless what is there is wrong by itself.
                wanted *= 4
                if error.code != "image_corrupt" or wanted > _LAST:
                    raise
    return checked_header(BytesIO(start), limits, videos=videos)


def too_large(limit: int, content_type: str = "") -> ProblemError:
    """Return the 413 for a file with more than `limit` bytes; the connection is closed after it."""
    kind = _KINDS.get(content_type, "video" if content_type in VIDEO_TYPES else "photo")
    detail = made_of(_MOST_MEGABYTES[kind], most=f"{limit / 1_000_000:g}")
    return ProblemError(413, "photo_too_large", detail, errors=[(FILE_FIELD, detail)], headers={"Connection": "close"})


def _rejected(status: int, code: str, detail: str) -> ProblemError:
    return ProblemError(status, code, detail, errors=[(FILE_FIELD, detail)])
