"""From an animation to the variant with all its frames: an animated WebP, in the colours of the other variants.

It has durations and repetitions of the original, and no metadata. Frames are decoded one after the other, and kept
within the size of the variant, which bounds the memory.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping

from PIL import Image, ImageFile, PngImagePlugin, WebPImagePlugin

from storage.blobs.variants import MOTION
from workers.images import animations, formats, gif, pixels, rasters
from workers.images.animations import Animation
from workers.images.decode import ImageRejectedError, presentation_of
from workers.images.structure import GIF, PNG, WEBP, StructureError

# Milliseconds. Browsers show a frame with a shorter duration, which is an old way to say none, for 100 ms.
_SHORTEST, _USUAL = 20, 100
_LONGEST = 60_000
_MAX_PLAYS = 0xFFFF
_OPTIONS = {"quality": 70, "method": 2, "background": (255, 255, 255, 255), "exif": b"", "xmp": b""}
_OPEN: Mapping[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    PNG: PngImagePlugin.PngImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
}


def make(data: bytes, *, max_pixels: int) -> dict[str, bytes]:
    """Return the variant `MOTION` of an image file by its name; raise `ImageRejectedError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            original = formats.read(data)
            formats.check_size(original.header, max_pixels)
            animation = animations.find(data)
        except (StructureError, formats.FormatError) as error:
            raise ImageRejectedError(str(error)) from error
        if animation is None:
            raise ImageRejectedError("the picture is not an animation that is shown in motion")
        presentation = presentation_of(original)
        images: list[Image.Image] = []
        durations: list[int] = []
        profile = None
        try:
            for frame, duration in _frames(animation):
                upright, profile = presentation.apply(frame)
                images.append(pixels.resized(upright, MOTION.side).convert("RGB"))
                durations.append(duration)
        except pixels.BROKEN as error:
            raise ImageRejectedError("the animation is damaged") from error
    return {MOTION.name: _encode(images, durations, animation.frames.plays, profile)}


def _frames(animation: Animation) -> Iterator[tuple[Image.Image, int]]:
    """Yield the frames of an animation, each whole, and their durations in milliseconds."""
    if animation.content_type == GIF:
        yield from _gif_frames(animation.frames.file)
        return
    image = _OPEN[animation.content_type](io.BytesIO(animation.frames.file))
    # A PNG may have a still image that is not a frame.
    first = int(getattr(image, "default_image", False))
    for number in range(first, first + animation.frames.number):
        image.seek(number)
        image.load()
        yield rasters.plain(image), _duration(image.info.get("duration", 0))


def _gif_frames(data: bytes) -> Iterator[tuple[Image.Image, int]]:
    """Yield the frames of a GIF as browsers draw them: what is not covered is transparent, whatever the background is.

    Pillow fills it with the colour of the background, and extends the disposal of one picture to the next ones.
    """
    screen: Image.Image | None = None
    for frame in gif.frames(data):
        picture = rasters.load(frame.picture).convert("RGBA").crop(frame.picture.box)
        screen = screen or Image.new("RGBA", (frame.picture.header.width, frame.picture.header.height))
        before = screen.copy() if frame.disposal == gif.Disposal.RESTORE else None
        screen.paste(picture, frame.picture.box, picture)
        yield screen.copy(), _duration(frame.duration)
        if before is not None:
            screen = before
        elif frame.disposal == gif.Disposal.CLEAR:
            screen.paste((0, 0, 0, 0), frame.picture.box)


def _duration(milliseconds: float) -> int:
    return min(round(milliseconds), _LONGEST) if milliseconds >= _SHORTEST else _USUAL


def _encode(images: list[Image.Image], durations: list[int], plays: int, profile: bytes | None) -> bytes:
    for image in images:
        image.info = {}
    buffer = io.BytesIO()
    first, *rest = images
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=durations,
        loop=min(plays, _MAX_PLAYS),
        icc_profile=profile,
        **_OPTIONS,
    )
    return buffer.getvalue()
