"""Limits of decoding one image; a module of its own, so that the settings can read the defaults without Pillow."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PIXELS = 50_000_000
MAX_SIDE = 65_500  # pixels; libjpeg decodes no more
MAX_SCANS = 100  # of a JPEG; encoders make about ten, and each is a pass over the whole image
# Blocks of 8 × 8 samples that the scans of a JPEG pass through in all. An image of 50 million pixels has at least
# 0.8 million, and encoders pass through each of them about eight times: a scan mostly has one component.
MAX_SCANNED_BLOCKS = 30_000_000
MAX_METADATA = 16 * 1024 * 1024  # bytes before the pixels
SEGMENT_COST = 64  # bytes that each segment or chunk counts more than it has, because many small ones take time
MAX_EXIF = 64 * 1024  # bytes; more than a JPEG segment holds is left out
MAX_SOURCE_PROFILE = 4 * 1024 * 1024  # bytes; the largest profiles in use, of printing presses, have about 3 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class DecoderLimits:
    """What one image may cost: `deadline` in seconds of wall-clock time, `memory` in bytes of address space, pixels."""

    deadline: float = 10.0
    memory: int = 1_500_000_000
    max_pixels: int = MAX_PIXELS
