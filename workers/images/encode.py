"""From upright pixels to the files of variants: resize, crop and encode.

The settings of the encoders belong to the recipe of `storage.blobs.variants`: a change of them needs a higher number.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from storage.blobs.variants import Variant
from workers.images import pixels, ultra_hdr
from workers.images.gain_maps import GainMapNumbers

# Measured on photographs of 1080 pixels (docs/design.md): at the similarity of JPEG 82, WebP has 0.8 and AVIF 0.7 of
# its bytes, and they take 10 and 60 times its processor time. WebP's method 4 would take 2.4 times that for 2 % fewer
# bytes, AVIF's speed 6 three times that for 3 %.
_OPTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # Neither optimised nor progressive: 5 % fewer bytes would cost five times the time.
    "jpg": ("JPEG", {"quality": 82, "comment": b""}),
    "webp": ("WEBP", {"quality": 80, "method": 2}),
    "avif": ("AVIF", {"quality": 65, "speed": 8}),
}
QUALITY = 82  # of JPEGs
# How many pixels of an image there are for one of its gain map in each direction, at least, and the quality of the
# latter. The first of these that fits is taken; at equal bytes fewer pixels show more than a lower quality does.
_GAIN_FORMS = ((4, 75), (4, 60), (4, 50), (4, 40), (6, 50), (6, 40), (8, 40))
LEAST_COARSENESS = _GAIN_FORMS[0][0]
_GAIN_SHARE = 0.05  # of the bytes of an image
# A gain map has some 500 bytes at least, which is too much for a smaller image; a description in XMP has 900 more.
_LEAST_SIDE, _LEAST_DESCRIBED_SIDE = 320, 1080


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """The upright pixels of a gain map, which cover the whole image, and how it is applied.

    `coarseness` is the number of pixels of the original for one of its gain map, in each direction.
    """

    image: Image.Image
    numbers: GainMapNumbers
    coarseness: float

    def join(self, file: bytes, variant: Variant, size: tuple[int, int], xmp: bytes) -> bytes:
        """Return a variant in the format `jpg` with its part of the gain map, and a packet.

        `size` is that of the original.
        """
        described = variant.side >= _LEAST_DESCRIBED_SIDE
        image, joined = self.image, file
        if variant.square:
            image = _square(image, min(image.size))
        for coarseness, quality in _GAIN_FORMS:
            width, height = (each / max(coarseness, self.coarseness) for each in variant.size_of(*size))
            image = pixels.scaled(image, (max(1, round(width)), max(1, round(height))))
            joined = ultra_hdr.join(file, _jpeg_of(image, quality), self.numbers, xmp, described=described)
            if len(joined) - len(xmp) <= (1 + _GAIN_SHARE) * len(file):
                break
        return joined


def needed_size(variants: Iterable[Variant], width: int, height: int) -> tuple[int, int]:
    """Return width and height of the smallest image from which the variants of an image of this size can be made."""
    return max(_needed(variant, width, height) for variant in variants)


def render(
    image: Image.Image,
    profile: bytes | None,
    variants: Iterable[Variant],
    size: tuple[int, int],
    xmp: bytes = b"",
    *,
    gain: Gain | None = None,
) -> tuple[dict[str, bytes], Image.Image]:
    """Return the files of variants by name, and the smallest image that was made; larger ones are made first.

    `image` has the needed size or more, `size` is that of the original, upright, and `xmp` is a packet for all files.
    JPEGs have the gain map, except for the smallest.
    """
    files: dict[str, bytes] = {}
    crops: dict[int, Image.Image] = {}
    for variant in sorted(variants, key=lambda one: _needed(one, *size), reverse=True):
        if variant.square:
            if variant.side not in crops:
                crops[variant.side] = _square(image, variant.size_of(*size)[0])
            shown = crops[variant.side]
        else:
            shown = image = pixels.scaled(image, variant.size_of(*size))
        if gain is not None and variant.format == "jpg" and variant.side >= _LEAST_SIDE:
            files[variant.name] = gain.join(_encode(shown, profile, variant.format, b""), variant, size, xmp)
        else:
            files[variant.name] = _encode(shown, profile, variant.format, xmp)
    return files, image


def _needed(variant: Variant, width: int, height: int) -> tuple[int, int]:
    if not variant.square:
        return variant.size_of(width, height)
    shortest, side = min(width, height), variant.size_of(width, height)[0]
    return -(-side * width // shortest), -(-side * height // shortest)


def _square(image: Image.Image, side: int) -> Image.Image:
    shortest = min(image.size)
    left, top = (image.width - shortest) // 2, (image.height - shortest) // 2
    return pixels.scaled(image, (side, side), box=(left, top, left + shortest, top + shortest))


def _jpeg_of(gain: Image.Image, quality: int) -> bytes:
    # Its standard tables would be a third of a small one.
    buffer = io.BytesIO()
    gain.info = {}
    gain.save(buffer, "JPEG", quality=quality, optimize=True, comment=b"", exif=b"", xmp=b"")
    return buffer.getvalue()


def _encode(image: Image.Image, profile: bytes | None, format_: str, xmp: bytes) -> bytes:
    name, options = _OPTIONS[format_]
    buffer = io.BytesIO()
    image.info = {}
    image.save(buffer, name, icc_profile=profile, exif=b"", xmp=xmp, **options)
    return buffer.getvalue()
