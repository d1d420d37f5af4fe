"""From the bytes of an original image to its variants: pure functions, run in the decoder process.

An image is decoded once, as small as its largest variant allows; each smaller variant is made from the one before. Its
colours are converted before its transparency becomes white, and its EXIF orientation is applied. Variants are encoded
from the pixels, so nothing of the file's metadata remains, not even the text of its colour profile.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import thumbhash
from PIL import Image

from workers.images import jpeg, pixels, png
from workers.images.colours import in_known_colours, source_profile
from workers.images.exif import parse_exif, read_exif, read_orientation
from workers.images.limits import MAX_PIXELS, MAX_SIDE
from workers.images.structure import ImageHeader, StructureError

VARIANTS = {"feed": 1080, "thumb": 320}  # longest side in pixels, largest first
QUALITY = 82
HASH_SIDE = 32  # pixels; a ThumbHash keeps 7 frequencies a side, more pixels only cost time
_WHITE = 255
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageRejectedError(Exception):
    """A file cannot become a photo; the text is the reason, for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """A decoded image: its upright size in pixels, a ThumbHash in base64, EXIF, and JPEG variants by name."""

    width: int
    height: int
    placeholder: str
    exif: dict[str, Any]
    variants: Mapping[str, bytes]


def decode(path: Path, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode a JPEG or PNG file; raise `ImageRejectedError`, or `OSError` if there is no file."""
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of broken metadata, which is dropped
        try:
            original = _read(data)
            _check(original.header, max_pixels)
            image = pixels.load(original, max(VARIANTS.values()))
        except StructureError as error:
            raise ImageRejectedError(str(error)) from error
        metadata = parse_exif(original.exif)
        orientation, exif = read_orientation(metadata), read_exif(metadata)
    flat, profile = _flat(image, _profile_of(original))
    upright = flat.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else flat
    variants: dict[str, bytes] = {}
    for name, side in VARIANTS.items():
        upright = pixels.resized(upright, side)
        variants[name] = _encode(upright, profile)
    width, height = upright_size((original.header.width, original.header.height), orientation)
    return Decoded(width=width, height=height, placeholder=_placeholder(upright), exif=exif, variants=variants)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height as displayed: EXIF orientations 5–8 swap them."""
    return (size[1], size[0]) if orientation >= 5 else size


def _read(data: bytes) -> jpeg.Jpeg | png.Png:
    if data.startswith(png.SIGNATURE):
        return png.read(data)
    if data.startswith(jpeg.SOI):
        return jpeg.read(data)
    raise StructureError("the file is not a JPEG or PNG picture")


def _check(header: ImageHeader, max_pixels: int) -> None:
    width, height = header.width, header.height
    if header.pixels > max_pixels:
        raise StructureError(f"the picture has {width} × {height} pixels, more than {max_pixels:,} in all")
    if max(width, height) > MAX_SIDE:
        raise StructureError(f"the picture has {width} × {height} pixels, more than {MAX_SIDE:,} on one side")
    if header.frames > 1:
        raise StructureError("the picture is animated; only still pictures can be shown")


def _profile_of(original: jpeg.Jpeg | png.Png) -> bytes | None:
    return original.profile if isinstance(original, jpeg.Jpeg) else source_profile(original.colours)


def _flat(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Return an image without transparency and the profile to store with it."""
    if image.mode not in {"LA", "RGBA"}:
        return in_known_colours(image, profile)
    # A profile describes colours without alpha, and a blend is of colours as they are shown.
    alpha = image.getchannel("A")
    opaque, stored = in_known_colours(image.convert(image.mode.removesuffix("A")), profile)
    white = Image.new(opaque.mode, opaque.size, _WHITE if opaque.mode == "L" else (_WHITE, _WHITE, _WHITE))
    white.paste(opaque, mask=alpha)
    return white, stored


def _encode(image: Image.Image, profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image.info = {}
    image.save(
        buffer,
        "JPEG",
        quality=QUALITY,
        optimize=True,
        progressive=True,
        icc_profile=profile,
        exif=b"",
        comment=b"",
    )
    return buffer.getvalue()


def _placeholder(image: Image.Image) -> str:
    small = pixels.resized(image, HASH_SIDE).convert("RGBA")
    return base64.b64encode(bytes(thumbhash.rgba_to_thumb_hash(*small.size, small.tobytes()))).decode()
