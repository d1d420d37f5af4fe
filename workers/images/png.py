"""The structure of a PNG file (ISO/IEC 15948, and the third edition for cICP), read as leniently as libpng does.

An ancillary chunk that is damaged, or of a wrong size, is skipped.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.images.limits import MAX_EXIF, MAX_SOURCE_PROFILE, MAX_XMP
from workers.images.structure import (
    CUT_OFF_HEADER,
    PNG,
    Data,
    ImageHeader,
    MetadataBudget,
    StructureError,
    UnsupportedError,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {GREY: {1, 2, 4, 8, 16}, RGB: {8, 16}, PALETTE: {1, 2, 4, 8}, GREY_ALPHA: {8, 16}, RGB_ALPHA: {8, 16}}
_ANCILLARY = 0x20  # bit of the first letter of a chunk's type
_MAX_LENGTH = 1 << 31
_XMP = b"XML:com.adobe.xmp\0"  # the keyword of an iTXt chunk
_KEY_VALUES = {GREY: 1, RGB: 3}  # of the transparent colour of an image without alpha


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Colours:
    """The colour chunks: code points of cICP, the profile of iCCP, whether sRGB is there, gAMA, and cHRM.

    `gamma` is the exponent of the encoder. `chromaticities` are x and y of white, red, green and blue.
    """

    code_points: tuple[int, int, int, int] | None = None
    profile: bytes | None = None
    srgb: bool = False
    gamma: float | None = None
    chromaticities: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Png:
    """A PNG without its metadata, as `file`, and the metadata that is used.

    `key` is the colour that is transparent, in samples of the file's depth; palettes keep their transparency in `file`.
    """

    header: ImageHeader
    layout: Layout
    file: bytes
    key: Sequence[int] | None
    exif: bytes
    xmp: bytes
    colours: Colours


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's type, and the bounds of its body; `whole` is False if the file ends within it."""

    kind: bytes
    start: int
    end: int
    whole: bool


def read_header(data: Data) -> ImageHeader:
    """Return the header of a PNG, without reading on to its pixels; raise `StructureError`."""
    frames, budget = 1, MetadataBudget()
    chunks = chunks_of(data)
    layout = _layout(data, chunks)
    for chunk in chunks:
        if chunk.kind == b"IDAT":
            return ImageHeader(PNG, layout.width, layout.height, frames)
        if chunk.kind == b"IEND":
            break
        if not chunk.whole:
            raise StructureError(CUT_OFF_HEADER)
        if chunk.kind == b"acTL":
            frames = _frames(data, chunk)
        budget.spend(chunk.end - chunk.start)
    raise StructureError("the PNG contains no image")


def read(data: Data) -> Png:
    """Return a PNG without its metadata; raise `StructureError`."""
    chunks = chunks_of(data)
    reader = _Reader(data, _layout(data, chunks))
    for chunk in chunks:
        if not reader.add(chunk):
            break
    return reader.result()


class _Reader:
    """Collects the parts of a PNG that a decoder needs."""

    def __init__(self, data: Data, layout: Layout) -> None:
        self._data = data
        self._layout = layout
        self._budget = MetadataBudget()
        self._frames = 1
        self._palette: bytes | None = None
        self._pixels: list[bytes] = []
        self._ancillary: dict[bytes, bytes] = {}
        self._xmp = b""

    def add(self, chunk: Chunk) -> bool:
        """Take a chunk; return False after the last one."""
        if chunk.kind == b"IEND":
            return False
        if chunk.kind == b"IDAT":
            # The file may end within its pixels, as long as nothing but the checksums is missing.
            if chunk.whole and not is_sound(self._data, chunk):
                raise StructureError("the PNG is damaged: the checksum of its pixels is wrong")
            self._pixels.append(self._data[chunk.start : chunk.end])
            return True
        if not chunk.whole:
            return False
        if not self._pixels:
            self._budget.spend(chunk.end - chunk.start)
        if chunk.kind[0] & _ANCILLARY:
            self._add_ancillary(chunk)
        elif chunk.kind != b"PLTE":
            raise UnsupportedError(f"the PNG has a chunk of the type {chunk.kind.decode()}, which is not supported")
        elif self._layout.colour == PALETTE:  # for other images it is only a suggestion
            if not is_sound(self._data, chunk) or self._palette is not None:
                raise StructureError("the PNG is damaged: its palette is invalid")
            self._palette = self._data[chunk.start : chunk.end]
        return True

    def result(self) -> Png:
        """Return the collected PNG."""
        layout = self._layout
        if not self._pixels:
            raise StructureError("the PNG contains no image")
        parts = [SIGNATURE, make_chunk(b"IHDR", struct.pack(">IIBBBBB", *_fields(layout)))]
        if layout.colour == PALETTE:
            if self._palette is None or not self._palette or len(self._palette) % 3 or len(self._palette) > 768:
                raise StructureError("the PNG is damaged: its palette is missing or invalid")
            parts.append(make_chunk(b"PLTE", self._palette))
            if alphas := self._ancillary.get(b"tRNS", b"")[: len(self._palette) // 3]:
                parts.append(make_chunk(b"tRNS", alphas))
        parts += [make_chunk(b"IDAT", b"".join(self._pixels)), make_chunk(b"IEND", b"")]
        exif = self._ancillary.get(b"eXIf", b"")
        return Png(
            header=ImageHeader(PNG, layout.width, layout.height, self._frames),
            layout=layout,
            file=b"".join(parts),
            key=_key(layout, self._ancillary.get(b"tRNS", b"")),
            exif=exif if len(exif) <= MAX_EXIF else b"",
            xmp=self._xmp,
            colours=_colours(self._ancillary),
        )

    def _add_ancillary(self, chunk: Chunk) -> None:
        if chunk.kind == b"acTL" and not self._pixels:
            self._frames = _frames(self._data, chunk)
        if chunk.kind == b"iTXt" and not self._xmp:
            self._xmp = _packet(self._data[chunk.start : min(chunk.end, chunk.start + MAX_XMP)])
        # Of these only the EXIF may follow the pixels. The first one of each type counts.
        allowed = {b"eXIf"} if self._pixels else {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"tRNS", b"eXIf"}
        if chunk.kind in allowed and chunk.kind not in self._ancillary and is_sound(self._data, chunk):
            self._ancillary[chunk.kind] = self._data[chunk.start : chunk.end]


def _layout(data: Data, chunks: Iterator[Chunk]) -> Layout:
    start = data[len(SIGNATURE) : len(SIGNATURE) + 8]
    chunk = next(chunks, None)
    if len(start) == 8 and start != b"\0\0\0\x0dIHDR":
        raise StructureError("the PNG does not begin with its header")
    if chunk is None or not chunk.whole:
        raise StructureError(CUT_OFF_HEADER)
    width, height, depth, colour, compression, filtering, interlaced = struct.unpack(
        ">IIBBBBB", data[chunk.start : chunk.end]
    )
    if (
        not is_sound(data, chunk)
        or not (0 < width < _MAX_LENGTH and 0 < height < _MAX_LENGTH)
        or depth not in _DEPTHS.get(colour, ())
        or compression
        or filtering
        or interlaced > 1
    ):
        raise StructureError("the header of the PNG is invalid")
    return Layout(width, height, depth, colour, interlaced)


def _fields(layout: Layout) -> tuple[int, ...]:
    return (layout.width, layout.height, layout.depth, layout.colour, 0, 0, layout.interlaced)


def chunks_of(data: Data) -> Iterator[Chunk]:
    """Yield the chunks of a PNG up to its end or to an invalid one; only the last may be incomplete."""
    position, size = len(SIGNATURE), len(data)
    while position + 8 <= size:
        length, kind = struct.unpack_from(">I4s", data, position)
        if length >= _MAX_LENGTH or not kind.isalpha():
            return  # nothing that follows can be found
        start = position + 8
        position = start + length + 4
        yield Chunk(kind, start, min(start + length, size), position <= size)


def is_sound(data: Data, chunk: Chunk) -> bool:
    """Return whether the checksum of a chunk that is whole is right."""
    body = data[chunk.start - 4 : chunk.end]  # it covers the type too
    return zlib.crc32(body) == int.from_bytes(data[chunk.end : chunk.end + 4], "big")


def make_chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its checksum."""
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def _frames(data: Data, chunk: Chunk) -> int:
    if chunk.end - chunk.start != 8 or not is_sound(data, chunk):
        return 1
    frames: int = struct.unpack(">I", data[chunk.start : chunk.start + 4])[0]
    return max(1, frames)


def _key(layout: Layout, body: bytes) -> Sequence[int] | None:
    """Return the transparent colour of an image without alpha: of smaller depths only the low bits count."""
    amount = _KEY_VALUES.get(layout.colour, 0)
    if not amount or len(body) != 2 * amount:
        return None
    return [value & ((1 << layout.depth) - 1) for value in struct.unpack(f">{amount}H", body)]


def _colours(chunks: dict[bytes, bytes]) -> Colours:
    code_points, gamma, chromaticities = (chunks.get(kind, b"") for kind in (b"cICP", b"gAMA", b"cHRM"))
    exponent = int.from_bytes(gamma, "big") / 100_000 if len(gamma) == 4 else 0
    return Colours(
        code_points=struct.unpack(">4B", code_points) if len(code_points) == 4 else None,
        profile=_profile(chunks.get(b"iCCP", b"")),
        srgb=len(chunks.get(b"sRGB", b"")) == 1,
        gamma=exponent or None,
        chromaticities=(
            [value / 100_000 for value in struct.unpack(">8I", chromaticities)] if len(chromaticities) == 32 else None
        ),
    )


def _profile(body: bytes) -> bytes | None:
    """Return the profile in a chunk iCCP, or None if it is invalid or too large."""
    name, separator, compressed = body.partition(b"\0")
    if not separator or compressed[:1] != b"\0" or len(name) > 79:
        return None
    return _inflated(compressed[1:], MAX_SOURCE_PROFILE)


def _packet(body: bytes) -> bytes:
    """Return the XMP packet in a chunk iTXt, b"" if it has another text, or is invalid or too large."""
    if not body.startswith(_XMP) or len(body) < len(_XMP) + 2:
        return b""
    compressed, method = body[len(_XMP) : len(_XMP) + 2]
    *_, text = body[len(_XMP) + 2 :].split(b"\0", 2)  # after a language and a translated keyword
    if not compressed:
        return text
    return (_inflated(text, MAX_XMP) or b"") if not method else b""


def _inflated(body: bytes, limit: int) -> bytes | None:
    inflate = zlib.decompressobj()
    try:
        inflated = inflate.decompress(body, limit)
    except zlib.error:
        return None
    return inflated if inflate.eof else None
