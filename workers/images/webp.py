"""The structure of a WebP file (RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from workers.images.limits import MAX_EXIF, MAX_FRAMES, MAX_SOURCE_PROFILE, MAX_XMP
from workers.images.structure import (
    CUT_OFF,
    CUT_OFF_HEADER,
    WEBP,
    Data,
    Frames,
    ImageHeader,
    MetadataBudget,
    StructureError,
)

_HEAD = 12  # bytes before the first chunk
_LOSSY, _LOSSLESS, _EXTENDED, _FRAME = b"VP8 ", b"VP8L", b"VP8X", b"ANMF"
_PIXELS = {_LOSSY, _LOSSLESS, b"ALPH", b"ANIM", _FRAME}
_ANIMATED, _ALPHA = 0x02, 0x10  # flags of VP8X
_INVALID = "the header of the WebP is invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Webp:
    """A WebP without its metadata, as `file`, and the metadata that is used."""

    header: ImageHeader
    file: bytes
    exif: bytes
    xmp: bytes
    profile: bytes | None


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk's type, and the bounds of its body; `whole` is False if the file ends within it."""

    kind: bytes
    start: int
    end: int
    whole: bool


def is_webp(data: Data) -> bool:
    """Return whether a file begins as a WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_header(data: Data) -> ImageHeader:
    """Return the header of a WebP, and the number of its frames; raise `StructureError`."""
    budget = MetadataBudget()
    width = height = frames = 0
    for chunk in _chunks(data):
        if chunk.kind in {_LOSSY, _LOSSLESS}:
            if not width:
                width, height = _size_of_pixels(data, chunk)
            return ImageHeader(WEBP, width, height)
        if chunk.kind == _EXTENDED and not width:
            width, height = _canvas(data, chunk)
        elif chunk.kind == _FRAME:
            frames += 1
            if frames > MAX_FRAMES:
                break  # more are of no interest
        else:
            budget.spend(chunk.end - chunk.start)
    if not width:
        raise StructureError(CUT_OFF_HEADER if len(data) < 30 else "the WebP contains no image")
    if not frames:
        raise StructureError("the WebP contains no image")
    return ImageHeader(WEBP, width, height, frames)


def read(data: Data, *, whole: bool = False) -> Webp:
    """Return a WebP without its metadata, of an animation its first frame unless `whole`; raise `StructureError`."""
    header = read_header(data)
    parts: list[bytes] = []
    found: dict[bytes, bytes] = {}
    for chunk in _chunks(data):
        body = data[chunk.start : chunk.end]
        if chunk.kind == _EXTENDED:
            flags = body[0] & (_ANIMATED | _ALPHA)  # the metadata is not there any more
            parts.append(_chunk(_EXTENDED, bytes([flags]) + body[1:]))
        elif chunk.kind in _PIXELS:
            if not chunk.whole:
                raise StructureError(CUT_OFF)
            parts.append(_chunk(chunk.kind, body))
            if chunk.kind == _FRAME and not whole:
                break  # the others are not shown
        else:
            found.setdefault(chunk.kind, body)
    file = b"".join(parts)
    exif, xmp, profile = found.get(b"EXIF", b""), found.get(b"XMP ", b""), found.get(b"ICCP")
    return Webp(
        header=header,
        file=b"RIFF" + struct.pack("<I", 4 + len(file)) + b"WEBP" + file,
        exif=exif.removeprefix(b"Exif\0\0") if len(exif) <= MAX_EXIF else b"",
        xmp=xmp if len(xmp) <= MAX_XMP else b"",
        profile=profile if profile is not None and len(profile) <= MAX_SOURCE_PROFILE else None,
    )


def read_frames(data: Data) -> Frames:
    """Return all frames of an animated WebP; raise `StructureError`."""
    plays = next((data[chunk.start + 4 : chunk.start + 6] for chunk in _chunks(data) if chunk.kind == b"ANIM"), b"")
    whole = read(data, whole=True)
    return Frames(file=whole.file, number=whole.header.frames, plays=int.from_bytes(plays, "little"))


def _chunks(data: Data) -> Iterator[_Chunk]:
    position, size = _HEAD, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while position + 8 <= size:
        kind, length = bytes(data[position : position + 4]), int.from_bytes(data[position + 4 : position + 8], "little")
        start = position + 8
        position = start + length + length % 2
        yield _Chunk(kind, start, min(start + length, len(data)), start + length <= len(data))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _canvas(data: Data, chunk: _Chunk) -> tuple[int, int]:
    body = data[chunk.start : chunk.end]
    if len(body) < 10:
        raise StructureError(CUT_OFF_HEADER)
    return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")


def _size_of_pixels(data: Data, chunk: _Chunk) -> tuple[int, int]:
    """Return the size in the header of a VP8 key frame (RFC 6386, 9.1) or of a lossless image (RFC 9649, 3.4)."""
    body = data[chunk.start : min(chunk.end, chunk.start + 10)]
    if len(body) < (10 if chunk.kind == _LOSSY else 5):
        raise StructureError(CUT_OFF_HEADER)
    if chunk.kind == _LOSSLESS:
        if body[0] != 0x2F:
            raise StructureError(_INVALID)
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    if body[3:6] != b"\x9d\x01\x2a" or not (width & 0x3FFF and height & 0x3FFF):
        raise StructureError(_INVALID)
    return width & 0x3FFF, height & 0x3FFF
