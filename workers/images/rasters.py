"""From a WebP, GIF, AVIF or HEIC file to its pixels; of an animation those of the first frame.

Each file goes to the decoder of its own format, which its structure has decided; no decoder is looked for by its bytes.
"""

from __future__ import annotations

import io

from PIL import AvifImagePlugin, GifImagePlugin, Image, WebPImagePlugin

from workers.images.formats import HEIC_IS_INSTALLED
from workers.images.gif import Gif
from workers.images.heif import Heif
from workers.images.structure import HEIC, StructureError
from workers.images.webp import Webp

if HEIC_IS_INSTALLED:
    import pi_heif.options
    from pi_heif.as_plugin import HeifImageFile

    # Neither the images for previews nor those of depth and gain are shown.
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    pi_heif.options.DECODE_THREADS = 1

# A decoder process has one image, and there are as many processes as images at once.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def load(original: Webp | Gif | Heif) -> Image.Image:
    """Return the pixels in mode L, LA, RGB or RGBA; raise `StructureError`, or an error of the decoder."""
    image = _open(original)
    header, crop = original.header, original.crop if isinstance(original, Heif) else None
    if crop is None and image.size != (header.width, header.height):
        # The limits were applied to the size in the header.
        raise StructureError("the headers of the image contradict each other")
    image.load()
    whole = plain(image.crop(crop) if crop is not None else image)
    return _uncovered(whole, original.box) if isinstance(original, Gif) else whole


def _open(original: Webp | Gif | Heif) -> Image.Image:
    file = io.BytesIO(original.file)
    if isinstance(original, Webp):
        return WebPImagePlugin.WebPImageFile(file)
    if isinstance(original, Gif):
        return GifImagePlugin.GifImageFile(file)
    return HeifImageFile(file) if original.header.content_type == HEIC else AvifImagePlugin.AvifImageFile(file)


def _uncovered(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return an image that is transparent outside of a box, as browsers show it; the decoder fills it with a colour."""
    if box == (0, 0, *image.size):
        return image
    screen = Image.new("RGBA", image.size)
    screen.paste(image.crop(box), box)
    return screen


def plain(image: Image.Image) -> Image.Image:
    """Return an image in mode L, LA, RGB or RGBA."""
    if "transparency" in image.info or image.mode in {"PA", "RGBa", "La"}:
        return image.convert("RGBA")
    return image if image.mode in {"L", "LA", "RGB", "RGBA"} else image.convert("RGB")
