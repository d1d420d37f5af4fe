"""Which animations are shown in motion, and the file that a decoder needs for that: all frames, no metadata.

Others are shown by their first frame alone: those that are too large, or damaged behind that frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workers.images import apng, formats, gif, webp
from workers.images.limits import MAX_FRAMES, MAX_MOTION_PIXELS
from workers.images.structure import GIF, PNG, WEBP, Data, Frames, StructureError

# Sequences of AVIF are not among them.
_READERS: Mapping[str, Callable[[Data], Frames]] = {
    GIF: gif.read_frames,
    PNG: apng.read_frames,
    WEBP: webp.read_frames,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Animation:
    """The frames of an animation in a file of this type."""

    content_type: str
    frames: Frames


def find(data: Data) -> Animation | None:
    """Return the animation in a valid image file, or None if it is still, or not to be shown in motion."""
    header = formats.read_header(data)
    read = _READERS.get(header.content_type)
    if read is None or header.frames < 2:
        return None
    try:
        frames = read(data)
    except StructureError:
        return None
    # A header may say any number.
    if frames.number > MAX_FRAMES or frames.number * header.pixels > MAX_MOTION_PIXELS:
        return None
    return Animation(content_type=header.content_type, frames=frames)
