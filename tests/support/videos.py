"""Videos for tests, made by FFmpeg: a square that moves over a bright ground, and a tone."""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
from PIL import Image

RATE = 48_000
SECRET = "taken at 52.5N 13.4E by Ann"


def video(
    codec: str = "libx264",
    *,
    size: tuple[int, int] = (64, 48),
    seconds: float = 1.0,
    rate: int = 30,
    pixels: str = "yuv420p",
    sound: str | None = "aac",
    kind: str = "mp4",
    black: int = 0,
    turns: int = 0,
    options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    channels: str = "stereo",
    colours: tuple[int, int, int] | None = None,
) -> bytes:
    """Return a video; its first `black` frames are black, and `turns` are clockwise quarter turns to show it.

    `colours` are primaries, transfer function and matrix as H.273 numbers them.
    """
    buffer = io.BytesIO()
    with _own_scheduling(), av.open(buffer, "w", format=kind) as container:
        container.metadata.update(metadata or {})
        picture: Any = container.add_stream(codec, rate=rate, options=dict(options or {}))
        picture.width, picture.height, picture.pix_fmt = *size, pixels
        picture.codec_context.thread_count = 1
        if colours is not None:
            context = picture.codec_context
            context.color_primaries, context.color_trc, context.colorspace = colours
        if turns:
            picture.set_display_rotation(-90 * turns)
        tone: Any = container.add_stream(sound, rate=RATE, layout=channels) if sound else None
        for number in range(round(seconds * rate)):
            container.mux(picture.encode(_frame(number, size, pixels, dark=number < black, colours=colours)))
        container.mux(picture.encode(None))
        if tone is not None:
            for frame in _tone(seconds, channels, tone.codec_context.frame_size or 1024):
                container.mux(tone.encode(frame))
            container.mux(tone.encode(None))
    return buffer.getvalue()


@contextmanager
def _own_scheduling() -> Iterator[None]:
    """Restore the scheduling policy of this thread at the end of the block.

    SVT-AV1 gives the thread that opens it the real-time priority 99 where it may, as root. Tests after that, and the
    engines and browsers that they start, would leave no processor time to any other process.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def frames(data: bytes) -> list[Image.Image]:
    """Return the frames of a video, in the order in which they are shown, not turned."""
    with av.open(io.BytesIO(data), "r") as container:
        return [frame.to_image() for frame in container.decode(video=0)]  # type: ignore[no-untyped-call]


def coded_pictures(data: bytes) -> list[bytes]:
    """Return the coded pictures of an H.264 video in an MP4, in decoding order, without other units."""
    found = []
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux(video=0):
            sample, position = bytes(packet), 0
            while position < len(sample):
                (length,) = struct.unpack_from(">I", sample, position)
                unit = sample[position + 4 : position + 4 + length]
                found += [unit] if unit[0] & 0x1F in {1, 5} else []
                position += 4 + length
    return found


def sound_packets(data: bytes) -> list[bytes]:
    """Return the packets of the sound."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def _frame(
    number: int, size: tuple[int, int], pixels: str, *, dark: bool, colours: tuple[int, int, int] | None
) -> av.VideoFrame:
    image = Image.new("RGB", size, (0, 0, 0) if dark else (220, 180, 60))
    if not dark:
        side = max(2, min(size) // 4)
        left = number * 2 % max(1, size[0] - side)
        image.paste((30, 30, 220), (left, side, left + side, 2 * side))
    frame: av.VideoFrame = av.VideoFrame.from_image(image).reformat(format=pixels)  # type: ignore[no-untyped-call]
    frame.pts = number
    if colours is not None:
        frame.color_primaries, frame.color_trc, frame.colorspace = colours
    return frame


def _tone(seconds: float, layout: str, size: int) -> list[av.AudioFrame]:
    channels = av.AudioLayout(layout).nb_channels
    made = []
    for start in range(0, round(seconds * RATE), size):
        frame = av.AudioFrame("fltp", layout, size)
        wave = struct.pack(f"{size}f", *(0.3 * math.sin((start + at) * 440 * math.tau / RATE) for at in range(size)))
        for channel in range(channels):
            frame.planes[channel].update(wave)
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        made.append(frame)
    return made
