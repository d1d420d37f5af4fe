"""The colours of a variant: sRGB without a profile, or a wider colour space with a profile of our own.

An image whose profile has the colours of Display P3 or Adobe RGB keeps its pixels and gets our profile of that space.
Every other one is converted to sRGB, which every reader assumes of an image without a profile.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageChops, ImageCms

from workers.images import profiles
from workers.images.png import Colours

# Levels of 255, by which a conversion of equal colours may differ. Of bright saturated colours the darkest channel says
# little: libvips and Sharp round the colorants of their Display P3, which makes it 4 instead of 0.
_GREY_TOLERANCE = 2
_COLOUR_TOLERANCE = 6
_COLOUR_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_SRGB_EXPONENT = 2.2
_SRGB_CODE_POINTS = (1, 13)
_EXPONENT_TOLERANCE = 0.05  # of the product of two exponents
_MAX_EXPONENT = 1_000.0  # that a profile can hold


def source_profile(colours: Colours) -> bytes | None:
    """Return the profile of a PNG by its chunks, the first valid one of cICP, iCCP, sRGB, and gAMA with cHRM.

    That is the order of the PNG specification, third edition; each is interpreted as Chromium does. None means sRGB.
    """
    if colours.code_points is not None:
        primaries, transfer, matrix, full_range = colours.code_points
        # Other values are of video, which a PNG cannot have.
        found = profiles.from_code_points(primaries, transfer) if matrix == 0 and full_range == 1 else None
        if found is not None:
            return found
    if colours.profile is not None and _parsed(colours.profile) is not None:
        return colours.profile
    if colours.srgb or colours.gamma is None:
        return None  # chromaticities alone do not count
    curve = profiles.gamma_curve(min(_MAX_EXPONENT, 1 / colours.gamma))
    if colours.chromaticities is not None:
        return profiles.from_primaries(colours.chromaticities, curve)
    # Writers give sRGB as its approximate exponent. To apply that literally would darken the shadows.
    if abs(colours.gamma * _SRGB_EXPONENT - 1) <= _EXPONENT_TOLERANCE:
        return None
    return profiles.from_primaries(profiles.BT709, curve)


def coded_profile(profile: bytes | None, code_points: tuple[int, int] | None) -> bytes | None:
    """Return the profile of an AVIF or HEIC: its own, or one for its code points; None means sRGB."""
    if profile is not None and _parsed(profile) is not None:
        return profile
    return None if code_points in (None, _SRGB_CODE_POINTS) else profiles.from_code_points(*code_points)


def in_known_colours(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Return a grey or RGB image and the profile to store with it, from one of mode L, RGB or CMYK and its profile."""
    if profile is not None and image.mode == "L" and profile[16:20] == b"RGB ":
        image = image.convert("RGB")
    parsed = _parsed(profile) if profile is not None and profile[16:20] == _COLOUR_SPACES[image.mode] else None
    if parsed is None:
        return image.convert("RGB") if image.mode == "CMYK" else image, None
    if image.mode == "RGB":
        for wide in (profiles.display_p3, profiles.adobe_rgb):
            if _same_colours(parsed, wide):
                return image, wide()
    converted = _converted(image, parsed, _ours(profiles.srgb))
    # A profile can be valid and yet not be applicable. Then the plain conversion has to do.
    return (converted if converted is not None else image.convert("RGB")), None


def _parsed(profile: bytes) -> ImageCms.ImageCmsProfile | None:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ValueError, TypeError):
        return None


@functools.cache
def _ours(make: Callable[[], bytes]) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(make()))


def _converted(
    image: Image.Image, source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile
) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(
            image, source, target, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, ValueError):
        return None


def _same_colours(source: ImageCms.ImageCmsProfile, wide: Callable[[], bytes]) -> bool:
    """Return whether a conversion between two profiles leaves all greys and a cube of colours unchanged."""
    for sample, tolerance in ((_greys(), _GREY_TOLERANCE), (_cube(), _COLOUR_TOLERANCE)):
        converted = _converted(sample, source, _ours(wide))
        if converted is None:
            return False
        extremes = ImageChops.difference(sample, converted).getextrema()
        if not all(isinstance(high, int | float) and high <= tolerance for _, high in extremes):  # type: ignore[misc]
            return False
    return True


@functools.cache
def _greys() -> Image.Image:
    return _image_of([(grey, grey, grey) for grey in range(256)])


@functools.cache
def _cube() -> Image.Image:
    levels = range(0, 256, 51)
    return _image_of([(red, green, blue) for red in levels for green in levels for blue in levels])


def _image_of(colours: Sequence[tuple[int, int, int]]) -> Image.Image:
    image = Image.new("RGB", (len(colours), 1))
    image.putdata(colours)
    return image
