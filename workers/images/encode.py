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


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """The upright pixels of a gain map, which cover the whole image, and how it is applied."""

    image: Image.Image
    numbers: GainMapNumbers

    def join(self, file: bytes, variant: Variant, size: tuple[int, int], xmp: bytes) -> bytes:
        """Return a variant in the format `jpg` with its part of the gain map, and a packet.

        `size` is that of the original.
        """
        width, height = variant.size_of(*size)
        if variant.square:
            side = max(1, round(width * min(self.image.size) / min(size)))
            scaled = _square(self.image, min(side, *self.image.size))
        else:
            # As coarse as in the original.
            across, down = round(self.image.width * width / size[0]), round(self.image.height * height / size[1])
            scaled = pixels.scaled(self.image, (max(1, across), max(1, down)))
        return ultra_hdr.join(file, _encode(scaled, None, variant.format, b""), self.numbers, xmp)


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
    JPEGs have the gain map.
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
        if gain is not None and variant.format == "jpg":
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


def _encode(image: Image.Image, profile: bytes | None, format_: str, xmp: bytes) -> bytes:
    name, options = _OPTIONS[format_]
    buffer = io.BytesIO()
    image.info = {}
    image.save(buffer, name, icc_profile=profile, exif=b"", xmp=xmp, **options)
    return buffer.getvalue()
