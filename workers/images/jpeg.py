"""The structure of a JPEG file (ITU-T T.81, annex B), read as leniently as libjpeg does.

Bytes between segments that are no marker are skipped, and the end of the image may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.images.limits import MAX_EXIF, MAX_IPTC, MAX_SCANNED_BLOCKS, MAX_SCANS, MAX_SOURCE_PROFILE, MAX_XMP
from workers.images.structure import (
    CUT_OFF,
    CUT_OFF_HEADER,
    JPEG,
    Data,
    ImageHeader,
    MetadataBudget,
    StructureError,
    UnsupportedError,
)

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
# Restart markers (D0–D7) are part of a scan's data. Reserved markers occur in damaged files only: between segments
# they are skipped like other stray bytes, and within a scan the decoder refuses them.
_MARKER = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xdf\xe0-\xef\xfe]")
_END, _SCAN, _QUANTISATION, _LINES, _RESTART = 0xD9, 0xDA, 0xDB, 0xDC, 0xDD
_HUFFMAN, _ARITHMETIC = 0xC4, 0xCC
_TABLES = {_HUFFMAN, _ARITHMETIC, _QUANTISATION, _LINES, _RESTART}
_FRAMES = {*range(0xC0, 0xD0)} - {_HUFFMAN, _ARITHMETIC, 0xC8}
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1, 0xC9}, {0xC2, 0xCA}
_JFIF, _EXIF, _PROFILE, _ADOBE = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"Adobe"
_XMP, _PHOTOSHOP = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
_GAIN = b"urn:iso:std:iso:ts:21496:-1\0"
_LAST_COEFFICIENT = 63
NO_IMAGE = "the JPEG contains no image"


@dataclass(frozen=True, slots=True)
class Component:
    """One colour component of a frame: its number and its sampling factors."""

    number: int
    horizontal: int
    vertical: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a frame (T.81, B.2.2)."""

    width: int
    height: int
    progressive: bool
    components: Sequence[Component]

    def blocks(self, component: Component) -> int:
        """Return the number of blocks of 8 × 8 samples of one component."""
        widest = max(each.horizontal for each in self.components)
        highest = max(each.vertical for each in self.components)
        across = -(-self.width * component.horizontal // (8 * widest))
        down = -(-self.height * component.vertical // (8 * highest))
        return across * down


@dataclass(frozen=True, kw_only=True, slots=True)
class Jpeg:
    """A JPEG without its metadata, as `file`, and the metadata that is used.

    `ended` is False if the end marker is missing, else `end` is the position behind it. `gain` has the numbers of a
    gain map (ISO 21496-1). `iptc` has the image resources that Photoshop writes around it.
    """

    header: ImageHeader
    file: bytes
    ended: bool
    exif: bytes
    xmp: bytes
    iptc: bytes
    profile: bytes | None
    gain: bytes
    end: int


@dataclass(frozen=True, slots=True)
class _Segment:
    """A marker at `at`, and the bounds of the segment's body."""

    marker: int
    at: int
    start: int
    end: int


def read_header(data: Data) -> ImageHeader:
    """Return the header of a JPEG, without reading on to its pixels; raise `StructureError`."""
    budget = MetadataBudget()
    for segment in _segments(data):
        if segment.marker in _FRAMES:
            frame = _frame(segment.marker, data[segment.start : segment.end])
            return ImageHeader(JPEG, frame.width, frame.height)
        if segment.marker in {_END, _SCAN}:
            raise StructureError(NO_IMAGE)
        budget.spend(segment.end - segment.at)
    raise StructureError(CUT_OFF_HEADER)


def read(data: Data) -> Jpeg:
    """Return a JPEG without its metadata; raise `StructureError`."""
    reader = _Reader(data)
    for segment in _segments(data):
        if not reader.add(segment):
            break
    return reader.result()


class _Reader:
    """Collects the parts of a JPEG that a decoder needs."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._frame: Frame | None = None
        self._parts = [SOI]
        self._budget = MetadataBudget()
        self._scans = _Scans()
        self._scan_start = 0  # of the data of the scan that is not closed yet
        self._ended = False
        self._end = 0
        self._gain = b""
        self._exif = b""
        self._xmp = b""
        self._iptc = b""
        self._profile: dict[int, bytes] = {}
        self._profile_parts = 0

    def add(self, segment: _Segment) -> bool:
        """Take a segment; return False after the last one."""
        self._close_scan(segment.at)
        if segment.marker == _END:
            self._ended = True
            self._end = segment.end
            return False
        body = self._data[segment.start : segment.end]
        if segment.marker in _FRAMES:
            # A decoder might use the size of the second one, which no limit was applied to.
            if self._frame is not None:
                raise StructureError("the JPEG is damaged: it has two headers")
            self._frame = _frame(segment.marker, body)
            self._keep(segment)
        elif segment.marker == _SCAN:
            if self._frame is None:
                raise StructureError(NO_IMAGE)
            self._scans.add(self._frame, body)
            self._keep(segment)
            self._scan_start = segment.end
        elif segment.marker in _TABLES or self._is_colour_space(segment.marker, body):
            self._keep(segment)
        else:
            self._add_metadata(segment.marker, body)
        if not self._scans.count:
            self._budget.spend(segment.end - segment.at)
        return True

    def result(self) -> Jpeg:
        """Return the collected JPEG."""
        if not self._ended:
            self._close_scan(len(self._data))
        if self._frame is None or not self._scans.count:
            raise StructureError(NO_IMAGE)
        if not self._ended and not self._scans.complete(self._frame):
            raise StructureError(CUT_OFF)
        complete = self._profile_parts and set(self._profile) == set(range(1, self._profile_parts + 1))
        profile = b"".join(self._profile[number] for number in sorted(self._profile)) if complete else None
        return Jpeg(
            header=ImageHeader(JPEG, self._frame.width, self._frame.height),
            file=b"".join((*self._parts, EOI)),
            ended=self._ended,
            exif=self._exif if len(self._exif) <= MAX_EXIF else b"",
            xmp=self._xmp if len(self._xmp) <= MAX_XMP else b"",
            iptc=self._iptc if len(self._iptc) <= MAX_IPTC else b"",
            profile=profile if profile is not None and len(profile) <= MAX_SOURCE_PROFILE else None,
            gain=self._gain,
            end=self._end,
        )

    def _keep(self, segment: _Segment) -> None:
        self._parts.append(self._data[segment.at : segment.end])

    def _close_scan(self, end: int) -> None:
        if self._scan_start:
            self._parts.append(self._data[self._scan_start : end])
            self._scan_start = 0

    @staticmethod
    def _is_colour_space(marker: int, body: bytes) -> bool:
        # libjpeg derives the colour space of the components from these two.
        return (marker == 0xE0 and body.startswith(_JFIF)) or (marker == 0xEE and body.startswith(_ADOBE))

    def _add_metadata(self, marker: int, body: bytes) -> None:
        if marker == 0xE1 and body.startswith(_EXIF):
            self._exif += body[len(_EXIF) :]
        elif marker == 0xE1 and body.startswith(_XMP):
            self._xmp = self._xmp or body[len(_XMP) :]
        elif marker == 0xED and body.startswith(_PHOTOSHOP):
            self._iptc += body[len(_PHOTOSHOP) :]
        elif marker == 0xE2 and body.startswith(_GAIN):
            self._gain = body[len(_GAIN) :]
        elif marker == 0xE2 and body.startswith(_PROFILE) and len(body) > len(_PROFILE) + 2:
            number, self._profile_parts = body[len(_PROFILE)], body[len(_PROFILE) + 1]
            self._profile.setdefault(number, body[len(_PROFILE) + 2 :])


class _Scans:
    """Counts the work of the scans, and notes which coefficients they have completed."""

    def __init__(self) -> None:
        self.count = 0
        self._blocks = 0
        self._done: dict[int, set[int]] = {}  # component -> coefficients with all their bits

    def add(self, frame: Frame, body: bytes) -> None:
        """Count a scan by its header (T.81, B.2.3); raise `StructureError` if the image takes too many passes."""
        amount = body[0] if body else 0
        if not 1 <= amount <= 4 or len(body) < 4 + 2 * amount:
            raise StructureError("the JPEG is damaged: the header of a scan is invalid")
        numbers = set(body[1 : 1 + 2 * amount : 2])
        components = [each for each in frame.components if each.number in numbers]
        first, last, bits = body[1 + 2 * amount : 4 + 2 * amount]
        self.count += 1
        self._blocks += sum(map(frame.blocks, components))
        if self.count > MAX_SCANS:
            raise StructureError(f"the picture is stored in more than {MAX_SCANS} passes")
        if self._blocks > MAX_SCANNED_BLOCKS:
            raise StructureError("the picture is stored in more passes than are allowed for its size")
        if not frame.progressive:
            first, last, bits = 0, _LAST_COEFFICIENT, 0
        if bits & 0x0F == 0:
            for each in components:
                self._done.setdefault(each.number, set()).update(range(first, last + 1))

    def complete(self, frame: Frame) -> bool:
        """Return whether the scans so far have all coefficients of all components."""
        everything = set(range(_LAST_COEFFICIENT + 1))
        return all(self._done.get(each.number, set()) >= everything for each in frame.components)


def _segments(data: Data) -> Iterator[_Segment]:
    """Yield the segments of a JPEG up to its end marker; bytes between them, and the data of scans, are skipped."""
    position, scans = len(SOI), 0
    while (found := _MARKER.search(data, position)) is not None:
        at, marker = found.start(), data[found.end() - 1]
        if marker == _END:
            yield _Segment(marker, at, at + 2, at + 2)
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")  # includes its own two bytes
        position = at + 2 + length
        if position > len(data) or at + 4 > len(data):
            raise StructureError(CUT_OFF if scans else NO_IMAGE if marker == _SCAN else CUT_OFF_HEADER)
        if length < 2:
            raise StructureError(CUT_OFF if scans else "the header of the JPEG is invalid")
        scans += marker == _SCAN
        yield _Segment(marker, at, at + 4, position)


def _frame(marker: int, body: bytes) -> Frame:
    if marker not in _SEQUENTIAL | _PROGRESSIVE:
        raise UnsupportedError("the JPEG is lossless or hierarchical, which is not supported")
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise StructureError("the header of the JPEG is invalid")
    precision, height, width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    components = [Component(body[at], body[at + 1] >> 4, body[at + 1] & 0x0F) for at in range(6, 6 + 3 * body[5], 3)]
    if not (width and height and components) or not all(
        1 <= each.horizontal <= 4 and 1 <= each.vertical <= 4 for each in components
    ):
        raise StructureError("the header of the JPEG is invalid")
    if precision != 8:
        raise UnsupportedError(f"the JPEG has {precision} bits for each colour; only 8 are supported")
    if len(components) not in {1, 3, 4}:
        raise UnsupportedError(f"the JPEG has {len(components)} colour components; 1, 3 or 4 are supported")
    return Frame(width, height, marker in _PROGRESSIVE, components)
