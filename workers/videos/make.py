"""From the bytes of a video to the MP4 that is served, and its poster; run in the decoder process.

The picture and the sound are copied if browsers play them as they are, and encoded again if not, each by itself.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av

from workers.images.decode import ImageRejectedError
from workers.videos import header, limits, mp4, poster
from workers.videos.header import VideoHeader
from workers.videos.limits import UnsupportedVideoError, VideoError, VideoTooLargeError
from workers.videos.mp4 import Track
from workers.videos.pictures import CopiedPicture, EncodedPicture
from workers.videos.samples import NotCopyableError, Samples
from workers.videos.sounds import CopiedSound, EncodedSound

_FORMAT = "mov"  # whatever the file contains, no other reader of FFmpeg gets it
_OPTIONS = {"enable_drefs": "0", "use_absolute_path": "0", "ignore_chapters": "1"}
_BROKEN = (av.FFmpegError, ValueError, OverflowError, EOFError, struct.error)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A video as it is served: an MP4, and its poster, a JPEG."""

    file: bytes
    poster: bytes


class _Way(Protocol):
    """How a stream becomes a track."""

    samples: Samples

    def add(self, packet: av.Packet[Any]) -> None: ...
    def track(self, zero: Fraction) -> Track: ...


def make(data: bytes, *, max_seconds: float) -> Made:
    """Return what is made of a video; raise `ImageRejectedError`."""
    try:
        return _make(data, max_seconds)
    except VideoError as error:
        raise ImageRejectedError(str(error)) from error
    except _BROKEN as error:
        raise ImageRejectedError(header.CUT_OFF) from error


def _make(data: bytes, max_seconds: float) -> Made:
    if not header.is_video(data):
        raise UnsupportedVideoError("the file is not a video")
    head = header.read_header(data)
    header.check_limits(head, max_seconds=max_seconds)
    jpeg = _poster(data, head)
    found = [way for way in (_picture(data, head, max_seconds), _sound(data, max_seconds)) if way is not None]
    zero = max(Fraction(0), min(way.samples.first for way in found))
    tracks, samples = [way.track(zero) for way in found], [way.samples.data for way in found]
    if sum(len(sample) for track in samples for sample in track) > limits.MAX_MEDIA:
        raise VideoTooLargeError("the video has too many bytes")
    return Made(file=mp4.write(tracks, samples), poster=jpeg)


def _poster(data: bytes, head: VideoHeader) -> bytes:
    with _opened(data) as container:
        made = poster.make(container, _video_of(container), head.turns)
    if made is None:
        raise VideoError(header.CUT_OFF)
    return made


def _picture(data: bytes, head: VideoHeader, max_seconds: float) -> _Way:
    # A stream that turns out not to be copyable is read again from its beginning.
    for make_way in (CopiedPicture, EncodedPicture):
        with _opened(data) as container:
            stream = _video_of(container)
            try:
                return _fed(make_way(stream, head.turns), container, stream, max_seconds)
            except NotCopyableError:
                continue
    raise VideoError(header.CUT_OFF)


def _sound(data: bytes, max_seconds: float) -> _Way | None:
    for make_way in (CopiedSound, EncodedSound):
        with _opened(data) as container:
            # Cameras add tracks for which there is no decoder, such as the one of spatial sound.
            stream = next((each for each in container.streams.audio if _is_decodable(each)), None)
            if stream is None:
                return None
            try:
                return _fed(make_way(stream), container, stream, max_seconds)
            except NotCopyableError:
                continue
    raise VideoError(header.CUT_OFF)


def _fed(way: _Way, container: av.container.InputContainer, stream: Any, max_seconds: float) -> _Way:
    """Return a way with all packets of its stream; raise `VideoError` for a stream that is longer than its header."""
    stream.codec_context.thread_count = 1
    for number, packet in enumerate(container.demux(stream)):
        if packet.pts is not None and packet.pts * stream.time_base > max_seconds + limits.GRACE:
            raise VideoTooLargeError(f"the video has more than {max_seconds:g} seconds")
        if number > limits.MAX_PACKETS:
            raise VideoTooLargeError("the video has too many frames")
        way.add(packet)
    if not way.samples.data:
        raise VideoError(header.CUT_OFF)
    return way


@contextmanager
def _opened(data: bytes) -> Iterator[av.container.InputContainer]:
    with av.open(
        io.BytesIO(data), "r", format=_FORMAT, container_options=_OPTIONS, metadata_errors="replace"
    ) as container:
        yield container


def _video_of(container: av.container.InputContainer) -> av.VideoStream:
    """Return the picture; raise `VideoError` if there is no decoder for it, or if it is larger than its header says."""
    for stream in container.streams.video:
        if not _is_decodable(stream):
            raise UnsupportedVideoError("the video has an unknown coding")
        context = stream.codec_context
        if max(context.width, context.height) > limits.MAX_SIDE:
            raise VideoTooLargeError(
                f"the video has {context.width} × {context.height} pixels, more than {limits.MAX_SIDE:,} on one side"
            )
        context.thread_count = 1
        return stream
    raise UnsupportedVideoError("the file has no video in it")


def _is_decodable(stream: av.VideoStream | av.AudioStream) -> bool:
    context: Any = stream.codec_context
    return context is not None
