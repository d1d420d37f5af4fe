"""From the file of an image to its pixels, as small as they are needed; see `decode` for what becomes of them."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from PIL import Image, ImageChops

from storage.blobs.variants import fitting
from workers.images import rasters
from workers.images.formats import Original
from workers.images.jpeg import EOI, Jpeg
from workers.images.png import GREY, Png
from workers.images.structure import CUT_OFF, StructureError

# The structure is checked against our own limits before Pillow reads it.
Image.MAX_IMAGE_PIXELS = None
# What Pillow raises for a file that is damaged.
BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, RuntimeError),
    struct.error,
)
# Against Lanczos: 30 instead of 42 ms for 1080 pixels of a photo with 12.5 million, and the same similarity to an ideal
# image (SSIM) for the same bytes of JPEG.
_FILTER = Image.Resampling.BICUBIC
# Bytes that no complete image needs. As data of a scan they give other pixels than the end marker does.
_FILLING = bytes(range(1, 255)) * 4


def resized(image: Image.Image, side: int) -> Image.Image:
    """Return an image that fits into a square of `side` pixels."""
    return scaled(image, fitting(*image.size, side))


def scaled(image: Image.Image, target: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> Image.Image:
    """Return an image, or the part of it in `box`, in another size."""
    if image.size == target and box in (None, (0, 0, *target)):
        return image
    return image.resize(target, _FILTER, box=box, reducing_gap=2.0)


def load(original: Original, target: tuple[int, int]) -> Image.Image:
    """Return the pixels in mode L, LA, RGB, RGBA or CMYK, in width and height of `target`; raise `StructureError`."""
    try:
        if isinstance(original, Jpeg):
            image = _load_jpeg(original, target)
        else:
            image = _load_png(original) if isinstance(original, Png) else rasters.load(original)
    except BROKEN as error:
        raise StructureError(CUT_OFF) from error
    return scaled(image, target)


def _load_jpeg(original: Jpeg, target: tuple[int, int]) -> Image.Image:
    image = _decode_jpeg(original.file, target)
    if not original.ended:
        # libjpeg fills up what is missing, and does not report it. If all pixels are there, what follows them makes
        # no difference.
        again = _decode_jpeg(original.file[: -len(EOI)] + _FILLING + EOI, target)
        if ImageChops.difference(image, again).getbbox() is not None:
            raise StructureError(CUT_OFF)
    return image


def _decode_jpeg(file: bytes, target: tuple[int, int]) -> Image.Image:
    image = Image.open(io.BytesIO(file), formats=("JPEG",))
    # A JPEG decodes at a half, quarter or eighth in a fraction of the time. The target has the aspect of the image,
    # because another one would select a scale that is too small for one side.
    image.draft(None, target)
    image.load()
    return image if image.mode in {"L", "RGB", "CMYK"} else image.convert("RGB")


def _load_png(original: Png) -> Image.Image:
    image = _open_png(original.file)
    image.load()
    if original.key is not None:
        alpha = _alpha_of_key(original, image, original.key)
        image = _plain_mode(image)
        image.putalpha(alpha)
    return _plain_mode(image)


def _open_png(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file), formats=("PNG",))


def _plain_mode(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Sixteen bits of grey, which a plain conversion would clip to white.
        return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _alpha_of_key(original: Png, image: Image.Image, key: Sequence[int]) -> Image.Image:
    """Return the alpha channel of an image with a transparent colour: 0 where all samples are equal to it."""
    layout = original.layout
    if layout.depth < 16:
        largest = (1 << layout.depth) - 1
        return _unequal(image.convert("L") if image.mode == "1" else image, [value * 255 // largest for value in key])
    # Pillow reads colours of sixteen bits as their high bytes. Read as little-endian they are the low bytes.
    mode = "L" if layout.colour == GREY else "RGB"
    high = _unequal(_byte_plane(original.file, mode, f"{mode};16B"), [value >> 8 for value in key])
    low_bytes = "L;16" if mode == "L" else "RGB;16L"
    low = _unequal(_byte_plane(original.file, mode, low_bytes), [value & 0xFF for value in key])
    return ImageChops.lighter(high, low)


def _byte_plane(file: bytes, mode: str, raw_mode: str) -> Image.Image:
    image = _open_png(file)
    image._mode = mode
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]  # type: ignore[attr-defined]
    image.load()
    return image


def _unequal(image: Image.Image, colour: Sequence[int]) -> Image.Image:
    """Return 255 where any band differs from the colour, else 0."""
    masks = [
        band.point([0 if level == value else 255 for level in range(256)])
        for band, value in zip(image.split(), colour, strict=True)
    ]
    mask = masks[0]
    for each in masks[1:]:
        mask = ImageChops.lighter(mask, each)
    return mask
