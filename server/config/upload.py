"""The section `[upload]`: the bounds of what is uploaded."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section
from workers.images.limits import DecoderLimits

_DECODER = DecoderLimits()


class UploadSection(Section):
    """Limits of uploads, and the slowest pace of every request body."""

    max_bytes: int = Field(default=25_000_000, ge=1024, description="Maximum size of an image in bytes.")
    max_pixels: int = Field(
        default=_DECODER.max_pixels, ge=10_000, description="Maximum pixels of an image (width × height)."
    )
    idle_timeout: float = Field(
        default=10.0, gt=0, description="Seconds without a byte of its body after which a request is refused."
    )
    min_rate: int = Field(
        default=8_000, gt=0, description="Minimum bytes per second of a request's body, averaged over 30 seconds."
    )
