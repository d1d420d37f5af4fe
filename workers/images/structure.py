"""What the structures of image files have in common: their errors, and the size of an image.

The modules `jpeg`, `png`, `webp`, `gif` and `heif` read the structure without decoding pixels and without Pillow, so
the API uses them too. All but `heif` keep only what a decoder needs. It never sees the metadata, and therefore cannot
take the file for another format or fail because of a chunk that it does not need. `data` may be `bytes` or a memory
map.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from workers.images.limits import MAX_METADATA, SEGMENT_COST

Data = bytes | mmap.mmap
JPEG = "image/jpeg"
PNG = "image/png"
WEBP = "image/webp"
AVIF = "image/avif"
GIF = "image/gif"
HEIC = "image/heic"
CUT_OFF_HEADER = "the file ends within its header"
CUT_OFF = "the picture is damaged or cut off"


class StructureError(Exception):
    """An image cannot be decoded; the text is a clause for the user that begins in lower case."""


class UnsupportedError(StructureError):
    """An image is of a kind that the decoder does not know."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Type and size of an image in pixels; `frames` is more than 1 for an animation.

    `coded_pixels` is the number of pixels that are decoded, if the image is a part of them.
    """

    content_type: str
    width: int
    height: int
    frames: int = 1
    coded_pixels: int = 0

    @property
    def pixels(self) -> int:
        """Return the number of pixels that are decoded."""
        return max(self.width * self.height, self.coded_pixels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """An animation with all its frames and no metadata, as `file`, their number, and how often it is played.

    `plays` 0 means for ever.
    """

    file: bytes
    number: int
    plays: int


class MetadataBudget:
    """Bound of the bytes before the pixels; bounds the time to walk through them too."""

    def __init__(self) -> None:
        self._left = MAX_METADATA

    def spend(self, size: int) -> None:
        """Count a segment of `size` bytes; raise `StructureError` beyond the bound."""
        self._left -= size + SEGMENT_COST
        if self._left < 0:
            raise StructureError("the file has too much metadata before its pixels")
