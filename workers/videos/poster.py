"""The poster of a video: the first frame that is not dark, or else the first one, upright, as a JPEG."""

from __future__ import annotations

import io
from fractions import Fraction

import av
from av.video.reformatter import ColorRange
from PIL import Image

from workers.images.colours import coded_profile, in_known_colours
from workers.images.decode import Presentation

_LONGEST = 2.0  # seconds from the beginning in which a frame is looked for
_MAX_FRAMES = 120
_SAMPLE = (32, 32)  # pixels by which the brightness is judged
_DARK = 20  # of 255
_QUALITY = 92  # variants are made of it
_WIDE = {9, 11, 12}  # primaries of BT.2020 and P3
_HDR = {16, 18}  # PQ, HLG
# EXIF orientations by quarter turns clockwise.
_ORIENTATIONS = (1, 6, 3, 8)


def make(container: av.container.InputContainer, stream: av.VideoStream, turns: int) -> bytes | None:
    """Return the poster, or None if there is no frame; reads the container from its position on."""
    chosen: av.VideoFrame | None = None
    for number, frame in enumerate(container.decode(stream)):
        dark = _is_dark(frame)
        if chosen is None or not dark:
            chosen = frame
        if not dark or number >= _MAX_FRAMES or (frame.time or 0) > _LONGEST:
            break
    return None if chosen is None else _jpeg(chosen, stream, turns)


def _is_dark(frame: av.VideoFrame) -> bool:
    small = _image(frame.reformat(*_SAMPLE, "rgb24", dst_color_range=ColorRange.JPEG, threads=1))
    levels = small.convert("L").histogram()
    return sum(level * count for level, count in enumerate(levels)) < _DARK * _SAMPLE[0] * _SAMPLE[1]


def _image(frame: av.VideoFrame) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image


def _jpeg(frame: av.VideoFrame, stream: av.VideoStream, turns: int) -> bytes:
    image = _image(frame.reformat(format="rgb24", dst_color_range=ColorRange.JPEG, threads=1))
    ratio = Fraction(stream.sample_aspect_ratio or 1)
    if ratio != 1 and Fraction(1, 4) <= ratio <= 4:
        image = image.resize((max(1, round(image.width * ratio)), image.height))
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    profile = coded_profile(None, (primaries, transfer)) if primaries in _WIDE or transfer in _HDR else None
    shown, profile = in_known_colours(image, profile)
    upright: Image.Image = Presentation(profile=None, orientation=_ORIENTATIONS[turns]).turn(shown)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=_QUALITY, icc_profile=profile)
    return buffer.getvalue()
