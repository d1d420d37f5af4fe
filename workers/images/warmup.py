"""Load every codec before the sandbox closes: libraries, and what Python imports only when it is first used."""

from __future__ import annotations

import codecs
import io

from PIL import Image

from workers.images import motion
from workers.images.decode import decode
from workers.images.limits import MAX_PIXELS
from workers.images.profiles import display_p3

# Text encodings that the readers of metadata use; Python imports each when it is first needed.
_ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "cp1252", "shift_jis")
_PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
_ANIMATIONS = ("GIF", "PNG", "WEBP")
_FORMATS = {"JPEG": ("RGB", "CMYK"), "PNG": ("RGB", "RGBA"), "WEBP": ("RGB", "RGBA"), "AVIF": ("RGB",), "GIF": ("P",)}


def load_codecs() -> None:
    """Decode and encode small images of each format that Pillow writes; that of HEIC is loaded by its import."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    Image.init()
    exif = Image.Exif()
    exif[0x0112], exif[0x8769], exif[0x8825] = 6, {0x9003: "2026:01:01 00:00:00"}, {1: "N", 2: (1.0, 2.0, 3.0)}
    for kind, modes in _FORMATS.items():
        for mode in modes:
            file = io.BytesIO()
            profile = display_p3() if mode.startswith("RGB") else None
            Image.new(mode, (16, 16)).save(file, kind, exif=exif, icc_profile=profile, xmp=_PACKET)
            decode(file.getvalue())
    for kind in _ANIMATIONS:
        file = io.BytesIO()
        first, *rest = (Image.new("RGB", (16, 16), (step, 0, 0)) for step in (0, 99))
        first.save(file, kind, save_all=True, append_images=rest)
        motion.make(file.getvalue(), max_pixels=MAX_PIXELS)
