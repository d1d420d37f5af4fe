"""What an uploaded video must be before it is accepted: the errors of its header, for the client.

Nothing is decoded here. Videos are accepted where the extra `video` is installed.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.edge.endpoint import FILE_FIELD
from server.edge.problem import ProblemError
from server.media.image_header import sentence
from storage.blobs.port import Blob
from storage.media_types import VIDEO_TYPES
from workers.images import heif
from workers.images.structure import ImageHeader
from workers.videos import header
from workers.videos.header import VideoHeader
from workers.videos.limits import (
    MAX_BOXES,
    MAX_BYTES,
    MAX_SECONDS,
    VIDEO_IS_INSTALLED,
    UnsupportedVideoError,
    VideoError,
    VideoTooLargeError,
)

HEAD = 1024  # bytes in which the type of a file is
_NOT_INSTALLED = (
    'This service does not accept videos. Its operator can install what they need: pip install "picshare[video]".'
)


@dataclass(frozen=True, kw_only=True)
class VideoUploadLimits:
    """Limits of an uploaded video: its bytes and seconds; `accepted` says whether videos are accepted at all."""

    max_bytes: int = MAX_BYTES
    max_seconds: float = MAX_SECONDS
    accepted: bool = VIDEO_IS_INSTALLED


def is_video(beginning: bytes) -> bool:
    """Return whether a file is a video, from its first `HEAD` bytes."""
    return header.is_video(beginning) and not heif.is_heif(beginning)


def require_accepted(content_type: str, limits: VideoUploadLimits) -> None:
    """Raise a 415 for a type of video, as the client declares it, where videos are not accepted."""
    if content_type in VIDEO_TYPES and not limits.accepted:
        raise ProblemError(415, "unsupported_media_type", _NOT_INSTALLED)


def checked_video(path: Path, limits: VideoUploadLimits) -> ImageHeader:
    """Return the type and size of a video; blocks. Raises `ProblemError`: 413, 415, 422."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _checked(lambda: header.read_header(data), limits)


async def checked_remote_video(blob: Blob, beginning: bytes, limits: VideoUploadLimits) -> ImageHeader:
    """Return the type and size of a video in a remote store; only the heads of its parts, and its header, are read."""
    try:
        moov = await _remote_moov(blob)
    except VideoError as error:
        raise _problem(error) from error
    return _checked(lambda: header.read_movie(beginning, moov), limits)


async def _remote_moov(blob: Blob) -> bytes:
    position, moov = 0, None
    for _ in range(MAX_BOXES):
        head = await _read(blob, position, position + 16)
        kind, start, position = header.top_box(head, position, blob.size)
        if kind == b"moov" and moov is None:
            moov = await _read(blob, start, position)
        if position >= blob.size:
            break
    if moov is None:
        raise VideoError(header.CUT_OFF)
    return moov


async def _read(blob: Blob, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in blob.chunks(start, min(end, blob.size))])


def _checked(read: Callable[[], VideoHeader], limits: VideoUploadLimits) -> ImageHeader:
    if not limits.accepted:
        raise ProblemError(415, "unsupported_media_type", _NOT_INSTALLED)
    try:
        found = read()
        header.check_limits(found, max_seconds=limits.max_seconds)
    except VideoError as error:
        raise _problem(error) from error
    return ImageHeader(found.content_type, *found.size)


def _problem(error: VideoError) -> ProblemError:
    detail = sentence(error)
    if isinstance(error, UnsupportedVideoError):
        return ProblemError(415, "unsupported_media_type", detail)
    if isinstance(error, VideoTooLargeError):
        return ProblemError(413, "video_too_large", detail, errors=[(FILE_FIELD, detail)])
    return ProblemError(422, "video_corrupt", detail, errors=[(FILE_FIELD, detail)])
