"""The structure of a GIF file (GIF89a specification)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from workers.images.limits import MAX_GIF_PARTS
from workers.images.structure import (
    CUT_OFF,
    CUT_OFF_HEADER,
    GIF,
    Data,
    Frames,
    ImageHeader,
    MetadataBudget,
    StructureError,
)

SIGNATURES = (b"GIF87a", b"GIF89a")
_SCREEN = 13  # bytes of the signature and the logical screen descriptor
_IMAGE, _EXTENSION, _END = 0x2C, 0x21, 0x3B
_CONTROL = 0xF9  # the extension with the transparent colour of the image that follows it
_CONTROL_BYTES = 8
_APPLICATION = 0xFF
_LOOP = re.compile(rb"\x21\xff\x0b(?:NETSCAPE2\.0|ANIMEXTS1\.0)\x03\x01(..)\0", re.DOTALL)
_TABLE = 0x80  # flag of a colour table


@dataclass(frozen=True, kw_only=True, slots=True)
class Gif:
    """The first picture of a GIF, as the only one of `file`; it covers left, top, right and bottom of the screen."""

    header: ImageHeader
    file: bytes
    box: tuple[int, int, int, int]


class Disposal(IntEnum):
    """What becomes of the area of a picture before the next one is drawn; any other value means that it stays."""

    CLEAR = 2
    RESTORE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """A picture of an animation, its duration in milliseconds, and its disposal."""

    picture: Gif
    duration: int
    disposal: int


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of a kind, for an extension with its label, and its bounds; `whole` is False if the file ends in it."""

    kind: int
    label: int
    start: int
    end: int
    whole: bool


def read_header(data: Data) -> ImageHeader:
    """Return the header of a GIF, and the number of its pictures; raise `StructureError`."""
    if len(data) < _SCREEN:
        raise StructureError(CUT_OFF_HEADER)
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if not (width and height):
        raise StructureError("the header of the GIF is invalid")
    budget, pictures = MetadataBudget(), 0
    for block in _blocks(data):
        if block.kind == _IMAGE:
            pictures += 1
        elif not pictures:
            budget.spend(block.end - block.start)
    if not pictures:
        raise StructureError("the GIF contains no image")
    return ImageHeader(GIF, width, height, pictures)


def read(data: Data) -> Gif:
    """Return the first picture of a GIF, without comments; raise `StructureError`."""
    for frame in frames(data):
        return frame.picture
    raise StructureError("the GIF contains no image")


def frames(data: Data) -> Iterator[Frame]:
    """Yield the pictures of a GIF, each in a file of its own without comments; raise `StructureError`."""
    header, control = read_header(data), b""
    screen = data[: _SCREEN + _table_size(data[10])]
    for block in _blocks(data):
        body = data[block.start : block.end]
        if block.kind == _EXTENSION and block.label == _CONTROL:
            control = body
        elif block.kind == _IMAGE:
            if not block.whole:
                raise StructureError(CUT_OFF)
            picture = Gif(header=header, file=screen + control + body + bytes([_END]), box=_box(data, block, header))
            whole = len(control) == _CONTROL_BYTES
            yield Frame(
                picture=picture,
                duration=10 * int.from_bytes(control[4:6], "little") if whole else 0,
                disposal=control[3] >> 2 & 7 if whole else 0,
            )
            control = b""


def read_frames(data: Data) -> Frames:
    """Return a GIF whose pictures are all valid, with its comments: see `frames`; raise `StructureError`."""
    number = sum(1 for _ in frames(data))
    found = (_LOOP.fullmatch(data[block.start : block.end]) for block in _blocks(data) if block.label == _APPLICATION)
    repetitions = next((int.from_bytes(each[1], "little") for each in found if each), None)
    plays = 1 if repetitions is None else repetitions + 1 if repetitions else 0
    return Frames(file=bytes(data), number=number, plays=plays)


def _box(data: Data, block: _Block, header: ImageHeader) -> tuple[int, int, int, int]:
    # A decoder enlarges the screen for a picture outside of it, beyond the limit that was applied to its size.
    left, top, width, height = (
        int.from_bytes(data[block.start + at : block.start + at + 2], "little") for at in (1, 3, 5, 7)
    )
    if not (width and height) or left + width > header.width or top + height > header.height:
        raise StructureError("the GIF is damaged: a picture is outside of its screen")
    return left, top, left + width, top + height


def _blocks(data: Data) -> Iterator[_Block]:
    """Yield images and extensions up to the end, or to a byte that begins none; raise `StructureError` for too many."""
    position, parts = _SCREEN + _table_size(data[10]), 0
    while position < len(data):
        start, kind = position, data[position]
        label = 0
        if kind == _EXTENSION and position + 2 <= len(data):
            label = data[position + 1]
            position += 2
        elif kind == _IMAGE and position + 10 < len(data):
            position += 11 + _table_size(data[position + 9])  # and one byte with the size of the codes
        else:
            return
        whole = False
        # Each part begins with its size, and an empty one ends the block.
        while position < len(data) and not whole and parts <= MAX_GIF_PARTS:
            whole = not data[position]
            position += 1 + data[position]
            parts += 1
        if parts > MAX_GIF_PARTS:
            raise StructureError("the GIF is stored in too many parts")
        yield _Block(kind, label, start, min(position, len(data)), whole)


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _TABLE else 0
