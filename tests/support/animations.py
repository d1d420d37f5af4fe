"""Animations for tests: three frames in colours of their own, in each format."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

from PIL import Image

from tests.support.pictures import BLUE, RED

GREEN = (30, 180, 30)
COLOURS = (RED, BLUE, GREEN)


def animated(
    kind: str, colours: Sequence[tuple[int, int, int]] = COLOURS, size: tuple[int, int] = (64, 48), **options: Any
) -> bytes:
    """Return an animation whose frames each have one colour; `options` are those of Pillow."""
    first, *rest = (Image.new("RGB", size, colour) for colour in colours)
    buffer = io.BytesIO()
    lossless = {"lossless": True} if kind == "WEBP" else {}
    first.save(buffer, kind, save_all=True, append_images=rest, **{"duration": 100, **lossless, **options})
    return buffer.getvalue()


def gif_of(*pictures: tuple[Image.Image, tuple[int, int], int]) -> bytes:
    """Return a GIF of pictures, each at a position and with a disposal; the first one is as large as the screen."""
    screen = struct.pack("<6sHHBBB", b"GIF89a", *pictures[0][0].size, 0, 0, 0)
    return screen + b"".join(_gif_picture(*each) for each in pictures) + b";"


def _gif_picture(image: Image.Image, position: tuple[int, int], disposal: int) -> bytes:
    buffer = io.BytesIO()
    image.quantize(4).save(buffer, "GIF")
    whole = buffer.getvalue()
    flags = whole[10]
    table = whole[13 : 13 + (3 << (flags & 7) + 1)]
    at = whole.index(b"\x2c\0\0\0\0", 13 + len(table))
    head = struct.pack("<BHHHHB", 0x2C, *position, *image.size, 0x80 | flags & 7)
    return b"\x21\xf9\x04" + bytes([disposal << 2, 10, 0, 0, 0]) + head + table + whole[at + 10 : -1]


def frames_of(data: bytes) -> list[tuple[Image.Image, float]]:
    """Return the frames of an animation, and their durations in milliseconds."""
    image = Image.open(io.BytesIO(data))
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        frames.append((image.convert("RGB"), image.info.get("duration", 0)))
    return frames
