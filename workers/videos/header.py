"""The header of an MP4 or QuickTime file (ISO/IEC 14496-12), read without decoding anything.

The bytes alone decide what a file is: a playlist that is called `.mp4` is none of these. The header is that of the
first video track. `data` may be `bytes` or a memory map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workers.images import bmff
from workers.images.bmff import Box
from workers.images.structure import Data, MetadataBudget, StructureError
from workers.videos import limits
from workers.videos.limits import UnsupportedVideoError, VideoError, VideoTooLargeError

MP4, QUICKTIME = "video/mp4", "video/quicktime"
CUT_OFF = "the video is damaged or cut off"
_DAMAGED = "the structure of the video is damaged"
_QUICKTIME_BRAND = b"qt  "
_BRANDS = frozenset(
    {b"isom", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH", b"M4VP", b"MSNV", b"dash", b"XAVC", _QUICKTIME_BRAND}
    | {b"iso%d" % number for number in range(2, 10)}
    | {b"3gp%d" % number for number in range(4, 8)}
)
_ONE = 0x0001_0000  # in 16.16 fixed point
_MINUS_ONE = 0xFFFF_0000
# Quarter turns clockwise by the numbers a, b, c, d of the matrix, in which the picture is shown.
TURNS: Mapping[tuple[int, int, int, int], int] = {
    (_ONE, 0, 0, _ONE): 0,
    (0, _ONE, _MINUS_ONE, 0): 1,
    (_MINUS_ONE, 0, 0, _MINUS_ONE): 2,
    (0, _MINUS_ONE, _ONE, 0): 3,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoHeader:
    """Type and size of a video as it is coded, `turns` clockwise quarter turns, seconds, and frames.

    The last two are 0 in a file of fragments, whose header does not say them.
    """

    content_type: str
    coded_width: int
    coded_height: int
    turns: int
    seconds: float
    frames: int

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height as displayed."""
        width, height = self.coded_width, self.coded_height
        return (height, width) if self.turns % 2 else (width, height)


def is_video(data: Data) -> bool:
    """Return whether a file begins as MP4 and QuickTime do."""
    return not _BRANDS.isdisjoint(bmff.brands(data))


def read_header(data: Data) -> VideoHeader:
    """Return the header of a whole file; raise `VideoError`."""
    moov = None
    for box in top_boxes(data):
        if box.kind == b"moov" and moov is None:
            moov = box
    if moov is None:
        raise VideoError(CUT_OFF)
    return read_movie(bytes(data[:1024]), bytes(data[moov.start : moov.end]))


def top_boxes(data: Data) -> Iterator[Box]:
    """Yield the boxes of a whole file; raise `VideoError` for one that exceeds it."""
    position, end, number = 0, len(data), 0
    while position < end:
        number += 1
        if number > limits.MAX_BOXES:
            raise UnsupportedVideoError("the video has too many parts")
        kind, start, stop = top_box(bytes(data[position : position + 16]), position, end)
        yield Box(kind, start, stop)
        position = stop


def top_box(head: bytes, position: int, end: int) -> tuple[bytes, int, int]:
    """Return the type of a box, and begin and end of its body, from its first 16 bytes; raise `VideoError`."""
    size, kind, length = int.from_bytes(head[:4], "big"), head[4:8], 8
    if size == 1:
        size, length = int.from_bytes(head[8:16], "big"), 16
    elif size == 0:
        size = end - position
    if len(head) < length or size < length or position + size > end:
        raise VideoError(CUT_OFF)
    if kind == b"moov" and size > limits.MAX_HEADER:
        raise UnsupportedVideoError("the header of the video is too large")
    return kind, position + length, position + size


def read_movie(beginning: bytes, moov: bytes) -> VideoHeader:
    """Return the header from the first bytes of a file and the body of its box `moov`; raise `VideoError`."""
    try:
        return _read_movie(beginning, moov)
    except (StructureError, IndexError) as error:
        raise VideoError(_DAMAGED) from error


def check_limits(header: VideoHeader, *, max_seconds: float) -> None:
    """Raise `VideoTooLargeError` for a video that is too long or too large."""
    width, height = header.size
    if header.seconds > max_seconds + limits.GRACE:
        raise VideoTooLargeError(f"the video has {header.seconds:.1f} seconds, more than {max_seconds:g}")
    if max(width, height) > limits.MAX_SIDE:
        raise VideoTooLargeError(f"the video has {width} × {height} pixels, more than {limits.MAX_SIDE:,} on one side")
    if header.frames > limits.MAX_FRAMES:
        raise VideoTooLargeError(f"the video has {header.frames:,} frames, more than {limits.MAX_FRAMES:,}")
    pixels = width * height * header.frames
    if pixels > limits.MAX_PIXELS_PER_SECOND * max(1.0, header.seconds):
        rate = header.frames / header.seconds if header.seconds else header.frames
        raise VideoTooLargeError(
            f"the video has {rate:.0f} frames of {width} × {height} pixels a second, more than 4K with 60 frames"
        )


def _read_movie(beginning: bytes, moov: bytes) -> VideoHeader:
    brands, budget = bmff.brands(beginning), MetadataBudget()
    found: VideoHeader | None = None
    tracks = [box for box in bmff.boxes(moov, 0, len(moov), budget) if box.kind == b"trak"]
    if len(tracks) > limits.MAX_TRACKS:
        raise UnsupportedVideoError(f"the video has more than {limits.MAX_TRACKS} tracks")
    for track in tracks:
        reader = _Track(moov, track, budget)
        reader.check()
        if found is None and reader.kind == b"vide":
            content_type = QUICKTIME if brands[0] == _QUICKTIME_BRAND else MP4
            found = reader.header(content_type)
    if found is None:
        raise UnsupportedVideoError("the file has no video in it")
    return found


class _Track:
    """One track of a movie."""

    def __init__(self, moov: bytes, track: Box, budget: MetadataBudget) -> None:
        self._moov = moov
        self._boxes = dict(_descend(moov, track, budget))
        self.kind = self._body(b"hdlr")[8:12]

    def check(self) -> None:
        """Raise `VideoError` for a track whose data lie in other files, or with more samples than a short video has."""
        references = self._body(b"dref") if b"dref" in self._boxes else b""
        for box in bmff.boxes(references, 8, len(references), MetadataBudget()):
            # The flag says that the data are in this file.
            if not references[box.start + 3] & 1:
                raise UnsupportedVideoError("the video refers to other files")
        if self.kind in {b"vide", b"soun"}:
            most = limits.MAX_FRAMES if self.kind == b"vide" else limits.MAX_AUDIO_SAMPLES
            if self._samples() > most:
                raise VideoTooLargeError("the video has too many frames")

    def header(self, content_type: str) -> VideoHeader:
        """Return the header of a video track."""
        entry = self._body(b"stsd")[8:]
        width, height = _number(entry, 32, 2), _number(entry, 34, 2)
        if not width or not height:
            raise VideoError(_DAMAGED)
        head = self._body(b"tkhd")
        matrix = head[52:] if head[0] else head[40:]
        a, b, c, d = (_number(matrix, at, 4) for at in (0, 4, 12, 16))
        return VideoHeader(
            content_type=content_type,
            coded_width=width,
            coded_height=height,
            turns=TURNS.get((a, b, c, d), 0),
            seconds=self._seconds(),
            frames=self._samples(),
        )

    def _seconds(self) -> float:
        head = self._body(b"mdhd")
        scale, duration = (
            (_number(head, 20, 4), _number(head, 24, 8))
            if head[0]
            else (
                _number(head, 12, 4),
                _number(head, 16, 4),
            )
        )
        if not scale:
            raise VideoError(_DAMAGED)
        return duration / scale

    def _samples(self) -> int:
        sizes = self._boxes.get(b"stsz") or self._boxes.get(b"stz2")
        return _number(self._moov[sizes.start : sizes.end], 8, 4) if sizes is not None else 0

    def _body(self, kind: bytes) -> bytes:
        box = self._boxes.get(kind)
        if box is None:
            raise VideoError(_DAMAGED)
        return self._moov[box.start : box.end]


_CONTAINERS = frozenset({b"mdia", b"minf", b"stbl", b"dinf"})


def _descend(moov: bytes, parent: Box, budget: MetadataBudget) -> Iterator[tuple[bytes, Box]]:
    # The handler of the media comes before that of its data, in QuickTime files, and is the one that counts.
    for box in reversed(list(bmff.boxes(moov, parent.start, parent.end, budget))):
        yield box.kind, box
        if box.kind in _CONTAINERS:
            yield from _descend(moov, box, budget)


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise StructureError(_DAMAGED)
    return int.from_bytes(data[at : at + size], "big")
