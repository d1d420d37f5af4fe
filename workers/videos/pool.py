"""Decoder processes for videos, and the check of what they respond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.blobs.content_types import HEAD, recognised_type
from workers.images import published as published_images
from workers.images.limits import DecoderLimits, DecoderMetrics
from workers.images.pool import Decoder
from workers.images.responses import InvalidResponseError
from workers.videos import limits, mp4, published
from workers.videos.limits import VideoLimits

MODULE = "workers.videos.child"
_PATIENCE = 5  # times the processor time of a video that may pass; the process is nice, and others go before it


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeVideo:
    """A video as it is served: an MP4 of so many pixels, upright, and seconds, and its poster, a JPEG."""

    file: bytes
    poster: bytes
    width: int
    height: int
    seconds: float


class VideoDecoder:
    """Pool of processes that decode videos, and the images of their posters."""

    def __init__(
        self,
        *,
        processes: int = 1,
        videos: VideoLimits | None = None,
        images: DecoderLimits | None = None,
        metrics: DecoderMetrics | None = None,
    ) -> None:
        self._limits = videos or VideoLimits()
        self.images = Decoder(
            processes=processes,
            limits=_limits_of(self._limits, images or DecoderLimits()),
            metrics=metrics,
            module=MODULE,
        )

    async def close(self) -> None:
        """Kill the processes; videos in progress fail."""
        await self.images.close()

    async def make(self, original: Path) -> MadeVideo:
        """Return what is made of a video; raises as `Decoder.variants` does."""
        return await self.images.respond(
            original,
            {"max_seconds": self._limits.max_seconds, "seconds": math.ceil(self._limits.deadline)},
            # Its processor time counts: what else the machine does must not decide whether a video is accepted.
            allow=lambda _: self._limits.deadline * _PATIENCE,
            read=video_of,
            subject="video",
        )


def video_of(response: Mapping[str, Any]) -> MadeVideo:
    """Return the video of a response; raise `InvalidResponseError` or `ForeignBytesError`."""
    made = response.get("video")
    if not isinstance(made, dict) or made.keys() != {"file", "poster"}:
        raise InvalidResponseError("without a video")
    file, poster = made["file"], made["poster"]
    if not isinstance(file, bytes) or not isinstance(poster, bytes) or recognised_type(poster[:HEAD]) != "image/jpeg":
        raise InvalidResponseError("with a video of another form")
    published_images.check(poster, "jpg")
    tracks = published.check(file)
    picture = tracks[0]
    width, height = (picture.height, picture.width) if picture.turns % 2 else (picture.width, picture.height)
    seconds = max(track.start + track.length for track in tracks) / mp4.SCALE
    return MadeVideo(file=file, poster=poster, width=width, height=height, seconds=seconds)


def _limits_of(videos: VideoLimits, images: DecoderLimits) -> DecoderLimits:
    return DecoderLimits(
        deadline=images.deadline,
        memory=videos.memory,
        max_pixels=images.max_pixels,
        max_response=limits.MAX_RESPONSE,
    )
