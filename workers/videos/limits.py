"""Limits of videos; a module of its own, so that the settings and the API can read them without FFmpeg."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

# Videos need the extra `video`, in the processes of the API and of the worker `video` alike.
VIDEO_IS_INSTALLED = find_spec("av") is not None

MAX_SECONDS = 60.0
GRACE = 0.5  # seconds; a camera that stops after a minute writes some frames more
MAX_BYTES = 100_000_000
MAX_SIDE = 4096  # pixels, coded
MAX_PIXELS_PER_SECOND = 4096 * 2304 * 60  # 4K with 60 frames a second, or 1080p with 240
MAX_FRAMES = 250 * 61
MAX_AUDIO_SAMPLES = 192_000 * 61  # uncompressed audio has as many as its rate
MAX_PACKETS = 50_000  # of one track; AAC has 47 a second, uncompressed sound is read in pieces
MAX_TRACKS = 16
MAX_HEADER = 16 * 1024 * 1024  # bytes of the box `moov`
MAX_BOXES = 256  # of the file itself
# What a video is served in at most, if it is encoded again; smaller sides first.
TARGET_SIDES = (720, 1280)
TARGET_RATE = 30  # frames per second
# What is served as it is, if it is H.264 with eight bits: up to 1080p.
COPIED_SIDES = (1088, 1920)
MAX_MEDIA = 160 * 1024 * 1024  # bytes of samples of the video that is made
MAX_RESPONSE = MAX_MEDIA + 32 * 1024 * 1024  # bytes of a decoder process: the video and its poster


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoLimits:
    """What one video may be and cost: its duration, `deadline` in seconds of processor time, `memory` in bytes."""

    max_seconds: float = MAX_SECONDS
    deadline: float = 120.0
    memory: int = 2_000_000_000


class VideoError(Exception):
    """A video cannot be accepted; the text is a clause for the user that begins in lower case."""


class VideoTooLargeError(VideoError):
    """A video exceeds a limit."""


class UnsupportedVideoError(VideoError):
    """A video is of a kind that is not accepted."""
