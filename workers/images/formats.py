"""The one table of the formats of original images: how a file is recognised, and which module reads it.

The first bytes alone decide; neither a name nor a declared type does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from workers.images import gif, heif, jpeg, png, webp
from workers.images.limits import MAX_ANIMATED_PIXELS, MAX_FRAMES, MAX_SIDE
from workers.images.structure import AVIF, GIF, HEIC, JPEG, PNG, WEBP, Data, ImageHeader, StructureError

Original = jpeg.Jpeg | png.Png | webp.Webp | gif.Gif | heif.Heif
# HEIC needs the extra `heic`, in the processes of the API and of the worker alike.
HEIC_IS_INSTALLED = find_spec("pi_heif") is not None
NAMES = {JPEG: "JPEG", PNG: "PNG", WEBP: "WebP", AVIF: "AVIF", GIF: "GIF", HEIC: "HEIC"}


class FormatError(Exception):
    """A file is of a format that is not accepted; the text is a clause for the user."""


@dataclass(frozen=True, slots=True)
class _Format:
    """A group of formats with one structure."""

    recognise: Callable[[Data], bool]
    read_header: Callable[[Data], ImageHeader]
    read: Callable[[Data], Original]


_FORMATS = (
    _Format(lambda data: data[:2] == jpeg.SOI, jpeg.read_header, jpeg.read),
    _Format(lambda data: data[:8] == png.SIGNATURE, png.read_header, png.read),
    _Format(webp.is_webp, webp.read_header, webp.read),
    _Format(lambda data: bytes(data[:6]) in gif.SIGNATURES, gif.read_header, gif.read),
    _Format(heif.is_heif, heif.read_header, heif.read),
)


def accepted(*, heic: bool = HEIC_IS_INSTALLED) -> str:
    """Return the names of the accepted formats, for a sentence."""
    *names, last = (name for kind, name in NAMES.items() if kind != HEIC or heic)
    return f"{', '.join(names)} or {last}"


def read_header(data: Data, *, heic: bool = HEIC_IS_INSTALLED) -> ImageHeader:
    """Return the header of an image file, without its pixels.

    Raises `FormatError`, and `StructureError` if the header is invalid.
    """
    header = _format_of(data).read_header(data)
    if header.content_type == HEIC and not heic:
        raise FormatError("the file is a HEIC image, which this service does not accept")
    return header


def read(data: Data) -> Original:
    """Return what a decoder needs of an image file; raises as `read_header` does."""
    read_header(data)
    return _format_of(data).read(data)


def check_size(header: ImageHeader, max_pixels: int) -> None:
    """Raise `StructureError` if an image, or all frames of an animation, have too many pixels."""
    size = f"{header.width} × {header.height} pixels"
    if header.pixels > max_pixels:
        raise StructureError(f"the picture has {size}, more than {max_pixels:,} in all")
    if max(header.width, header.height) > MAX_SIDE:
        raise StructureError(f"the picture has {size}, more than {MAX_SIDE:,} on one side")
    if header.frames > MAX_FRAMES:
        raise StructureError(f"the animation has more than {MAX_FRAMES:,} frames")
    if header.frames > 1 and header.frames * header.pixels > MAX_ANIMATED_PIXELS:
        raise StructureError(
            f"the animation has {header.frames:,} frames of {size}, more than {MAX_ANIMATED_PIXELS:,} pixels in all"
        )


def _format_of(data: Data) -> _Format:
    for each in _FORMATS:
        if each.recognise(data):
            return each
    raise FormatError("the file is not an image of an accepted type")
