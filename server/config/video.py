"""The section `[video]`: the limits of videos."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section
from workers.videos.limits import MAX_BYTES, VideoLimits

_VIDEO = VideoLimits()


class VideoSection(Section):
    """Short videos; they need the extra `video`."""

    max_bytes: int = Field(
        default=MAX_BYTES,
        ge=1024,
        description="Maximum size of a video in bytes; of a video in a form it is `upload.max_bytes`.",
    )
    max_seconds: float = Field(default=_VIDEO.max_seconds, gt=0, le=600, description="Maximum duration of a video.")
    deadline: float = Field(
        default=_VIDEO.deadline, gt=0, description="Seconds of processor time in which one video must be converted."
    )
    memory: int = Field(
        default=_VIDEO.memory,
        ge=500_000_000,
        description="Bytes of address space that one decoder of videos may use.",
    )
