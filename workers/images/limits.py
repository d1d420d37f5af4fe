"""Limits and metrics of the decoder; a module of its own, so that the settings can read the defaults without Pillow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

MAX_PIXELS = 64 * 1024 * 1024  # what is sold as 64 megapixels has up to 9248 × 6944
MAX_SIDE = 65_500  # pixels; libjpeg decodes no more
MAX_SCANS = 100  # of a JPEG; encoders make about ten, and each is a pass over the whole image
# Blocks of 8 × 8 samples that the scans of a JPEG pass through in all. An image of 64 megapixels has at least
# 1 million, and encoders pass through each of them about eight times: a scan mostly has one component.
MAX_SCANNED_BLOCKS = 30_000_000
MAX_FRAMES = 5_000  # of an animation
MAX_ANIMATED_PIXELS = 512 * 1024 * 1024  # of an animation: pixels times frames
# Of an animation that is shown in motion, and not by its first frame alone: pixels times frames. A minute of 360 × 480
# pixels with six frames a second; decoded and encoded in about 5 s of processor time.
MAX_MOTION_PIXELS = 64 * 1024 * 1024
MAX_GIF_PARTS = 250_000  # of up to 255 bytes each, which encoders fill: 25 MB have 100,000
MAX_METADATA = 16 * 1024 * 1024  # bytes before the pixels
SEGMENT_COST = 64  # bytes that each segment or chunk counts more than it has, because many small ones take time
MAX_EXIF = 64 * 1024  # bytes; more than a JPEG segment holds is left out
MAX_XMP = 256 * 1024  # bytes of a packet; a JPEG segment holds 64 KiB, editors of other formats write a history
MAX_IPTC = 256 * 1024  # bytes of the resources of Photoshop that are searched for it
MAX_EMBEDDED_TEXT = 4_000  # characters of a text in the metadata; more is cut off
MAX_SOURCE_PROFILE = 4 * 1024 * 1024  # bytes; the largest profiles in use, of printing presses, have about 3 MB
MOTION_TIME = 3  # times the deadline of an image of the same type
# How much longer than a JPEG an image may take: HEVC and AV1 take about five and two times as long for each pixel, and
# their decoders cannot skip what is not shown.
_SLOW_TYPES = {"image/heic": 3, "image/avif": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class DecoderLimits:
    """What one image may cost: `deadline` in seconds of wall-clock time, `memory` in bytes of address space, pixels.

    `max_response` are the bytes that a decoder may return for it.
    """

    deadline: float = 10.0
    memory: int = 1_500_000_000
    max_pixels: int = MAX_PIXELS
    max_response: int = 64 * 1024 * 1024

    def deadline_of(self, content_type: str) -> float:
        """Return the deadline of an image of a type; `deadline` is that of most types."""
        return self.deadline * _SLOW_TYPES.get(content_type, 1)


class DecoderMetrics(Protocol):
    """Metrics of the decoder processes."""

    def decoder_sandboxed(self, layers: Mapping[str, bool]) -> None:
        """Record for each layer of the sandbox whether it is active."""
        ...

    def image_decoded(self, *, format: str, outcome: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Record one attempt of a decoder at an image; its format is the subtype of its media type, or "unknown".

        Outcomes: decoded, rejected, deadline, crashed, failed (bytes that must not be published, or the end of the
        worker).
        """
        ...


class NoMetrics:
    """Records nothing."""

    def decoder_sandboxed(self, layers: Mapping[str, bool]) -> None:
        """Do nothing."""

    def image_decoded(self, *, format: str, outcome: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Do nothing."""
