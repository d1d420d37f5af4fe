"""The frames of an animated PNG (PNG specification, third edition, section 4.9)."""

from __future__ import annotations

import struct

from workers.images import png
from workers.images.png import GREY, Chunk, Layout
from workers.images.structure import CUT_OFF, Data, Frames, StructureError, UnsupportedError

_CONTROL = struct.Struct(">IIIIIHHBB")  # fcTL: number, width, height, left, top, two of the delay, disposal, blending
_NUMBER = 4  # bytes before the pixels in fdAT
_KEPT = (b"PLTE", b"tRNS")
_DAMAGED = "the animated PNG is damaged"


def read_frames(data: Data) -> Frames:
    """Return all frames of an animated PNG, counted by ourselves; raise `StructureError`."""
    still = png.read(data)
    if still.layout.depth == 16 and still.layout.colour == GREY:
        raise UnsupportedError("an animated PNG with 16 bits of grey is not supported")
    reader = _Reader(data, still.layout)
    for chunk in png.chunks_of(data):
        if chunk.kind == b"IEND":
            return reader.result()
        if not chunk.whole:
            break
        reader.add(chunk)
    raise StructureError(CUT_OFF)


class _Reader:
    """Collects the chunks of an animation, with numbers of our own."""

    def __init__(self, data: Data, layout: Layout) -> None:
        self._data = data
        self._layout = layout
        self._head: list[bytes] = []
        self._pixels: list[bytes] = []
        self._numbered = 0
        self._frames = 0
        self._has_pixels = True  # the last frame
        self._image_ended = False
        self._plays = 0

    def add(self, chunk: Chunk) -> None:
        body = bytes(self._data[chunk.start : chunk.end])
        if chunk.kind in (b"IHDR", *_KEPT):
            self._head.append(png.make_chunk(chunk.kind, body))
        elif chunk.kind == b"acTL":
            self._plays = int.from_bytes(body[4:8], "big")
        elif chunk.kind == b"fcTL":
            self._begin(body)
        elif chunk.kind == b"IDAT" and not self._image_ended:
            self._has_pixels = True
            self._pixels.append(png.make_chunk(b"IDAT", body))
        elif chunk.kind == b"fdAT" and self._frames and any(part[4:8] == b"IDAT" for part in self._pixels[:2]):
            self._image_ended = self._has_pixels = True
            self._add(b"fdAT", body[_NUMBER:])

    def result(self) -> Frames:
        """Return the frames."""
        if not self._has_pixels or not self._frames:
            raise StructureError(_DAMAGED)
        control = png.make_chunk(b"acTL", struct.pack(">II", self._frames, self._plays))
        file = b"".join((png.SIGNATURE, *self._head, control, *self._pixels, png.make_chunk(b"IEND", b"")))
        return Frames(file=file, number=self._frames, plays=self._plays)

    def _begin(self, body: bytes) -> None:
        if len(body) != _CONTROL.size or not self._has_pixels:
            raise StructureError(_DAMAGED)
        _, width, height, left, top, *_ = _CONTROL.unpack(body)
        # The limits were applied to the size in the header.
        if not (width and height) or left + width > self._layout.width or top + height > self._layout.height:
            raise StructureError("the animated PNG is damaged: a frame is outside of its image")
        self._frames += 1
        self._has_pixels = False
        self._add(b"fcTL", body[_NUMBER:])

    def _add(self, kind: bytes, body: bytes) -> None:
        self._pixels.append(png.make_chunk(kind, struct.pack(">I", self._numbered) + body))
        self._numbered += 1
