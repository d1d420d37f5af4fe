"""From the bytes of an original image to its variants: pure functions, run in the decoder process.

An image is decoded once, as small as its largest variant allows; each smaller variant is made from the one before. Its
EXIF orientation is applied. Variants are encoded from the pixels, so of the file's metadata only the colour profile
remains.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import thumbhash
from PIL import Image, ImageCms

from workers.images.exif import read_exif, read_orientation
from workers.images.limits import MAX_PIXELS

MAX_SIDE = 32_767  # pixels; beyond it a variant would have less than a thirtieth of a pixel for each
MAX_SCANS = 100  # of a JPEG; encoders make about ten, and each is a pass over the whole image
VARIANTS = {"feed": 1080, "thumb": 320}  # longest side in pixels, largest first
QUALITY = 82
HASH_SIDE = 32  # pixels; a ThumbHash keeps 7 frequencies a side, more pixels only cost time
MAX_PROFILE = 16 * 1024  # bytes; a matrix profile has less than one, tables are converted away
_WHITE = 255
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)  # one before a segment, or the end
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, struct.error)


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
    with path.open("rb") as file, warnings.catch_warnings():
        # Pillow warns of many pixels and of broken metadata; the limit is ours, and the metadata is dropped.
        warnings.simplefilter("ignore")
        image = _open(file)
        _check(image, max_pixels)
        if image.format == "JPEG":
            _check_scans(path)
        size = image.size
        scaled = _shrink(image, max(VARIANTS.values()))
        # Only after decoding: a PNG may have its EXIF behind its pixels.
        orientation, exif = read_orientation(image), read_exif(image)
        profile = image.info.get("icc_profile")
    flat = _in_known_colours(_flatten(scaled), profile if isinstance(profile, bytes) else None)
    upright = flat.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else flat
    upright.info = {key: value for key, value in flat.info.items() if key == "icc_profile"}
    variants: dict[str, bytes] = {}
    for name, side in VARIANTS.items():
        upright = _fit(upright, side)
        variants[name] = _encode(upright)
    width, height = upright_size(size, orientation)
    return Decoded(width=width, height=height, placeholder=_placeholder(upright), exif=exif, variants=variants)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height as displayed: EXIF orientations 5–8 swap them."""
    return (size[1], size[0]) if orientation >= 5 else size


def fitting(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size within a square of `side` pixels: same aspect, never enlarged, at least one pixel."""
    longest = max(width, height)
    if longest <= side:
        return width, height
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def _open(file: BinaryIO) -> Image.Image:
    try:
        return Image.open(file, formats=("JPEG", "PNG"))
    except Image.DecompressionBombError:
        raise ImageRejectedError("the picture has too many pixels") from None
    except _BROKEN as error:
        raise ImageRejectedError("the file is not a JPEG or PNG picture, or its beginning is damaged") from error


def _check(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageRejectedError(f"the picture has {width} × {height} pixels, more than {max_pixels:,} in all")
    if max(width, height) > MAX_SIDE:
        raise ImageRejectedError(f"the picture has {width} × {height} pixels, more than {MAX_SIDE:,} on one side")
    if image.format == "PNG" and getattr(image, "is_animated", False):
        raise ImageRejectedError("the picture is animated; only still pictures can be shown")


def _check_scans(path: Path) -> None:
    # Segments are skipped by their length, and the data of a scan contains no marker (ITU-T T.81, B.1.1). Whatever
    # follows the end, such as a phone's short film, is not part of the image.
    data, at, scans = path.read_bytes(), 2, 0
    while (marker := _MARKER.search(data, at)) is not None and marker[0] != _END:
        scans += marker[0] == _SCAN
        if scans > MAX_SCANS:
            raise ImageRejectedError(f"the picture is stored in more than {MAX_SCANS} passes")
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")


def _shrink(image: Image.Image, side: int) -> Image.Image:
    target = fitting(*image.size, side)
    try:
        # A JPEG decodes at a half, quarter or eighth in a fraction of the time. The target has the aspect of the
        # image, because another one would select a scale that is too small for one side.
        image.draft(None, target)
        image.load()
    except _BROKEN as error:
        raise ImageRejectedError("the picture is damaged or cut off") from error
    return _resize(_plain_mode(image), target)


def _plain_mode(image: Image.Image) -> Image.Image:
    """Return an image of mode L, RGB, RGBA or CMYK, from pixels of any mode."""
    if image.mode.startswith("I"):
        # Sixteen bits of grey, which a plain conversion would clip to white.
        return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if image.mode in {"LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB", "RGBA", "CMYK"} else image.convert("RGB")


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, (_WHITE, _WHITE, _WHITE))
    white.paste(image, mask=image.getchannel("A"))
    return white


def _in_known_colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a grey or RGB image, with its colour profile if that is small, valid and of the same colour space."""
    space = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}.get(image.mode)
    parsed = _parse_profile(profile) if profile is not None and profile[16:20] == space else None
    if profile is not None and parsed is not None and image.mode != "CMYK" and len(profile) <= MAX_PROFILE:
        image.info = {"icc_profile": profile}
        return image
    if parsed is not None:
        try:
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, parsed, target, outputMode="RGB")
        except (ImageCms.PyCMSError, ValueError):
            converted = None  # the profile can be parsed and not applied: the plain conversion has to do
        if converted is not None:
            converted.info = {}
            return converted
    plain = image.convert("RGB") if image.mode == "CMYK" else image
    plain.info = {}
    return plain


def _parse_profile(profile: bytes) -> ImageCms.ImageCmsProfile | None:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ValueError, TypeError):
        return None


def _fit(image: Image.Image, side: int) -> Image.Image:
    return _resize(image, fitting(*image.size, side))


def _resize(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    if image.size == target:
        return image
    info = image.info
    resized = image.resize(target, Image.Resampling.LANCZOS, reducing_gap=2.0)
    resized.info = info
    return resized


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(
        buffer,
        "JPEG",
        quality=QUALITY,
        optimize=True,
        progressive=True,
        icc_profile=image.info.get("icc_profile"),
        exif=b"",
        comment=b"",
    )
    return buffer.getvalue()


def _placeholder(image: Image.Image) -> str:
    small = _fit(image, HASH_SIDE).convert("RGBA")
    return base64.b64encode(bytes(thumbhash.rgba_to_thumb_hash(*small.size, small.tobytes()))).decode()
