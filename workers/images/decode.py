"""From the bytes of an original image to its variants: pure functions, run in the decoder process.

An image is decoded once, as small as the wanted variants allow (`workers.images.encode` makes them). Its colours are
converted before its transparency becomes white, and its EXIF orientation is applied. Variants are encoded from the
pixels, so nothing of the file's metadata remains, not even the text of its colour profile.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import thumbhash
from PIL import Image

from storage.blobs.variants import Variant, VariantRegistry
from storage.perceptual_hashes import text_of
from workers.images import animations, formats, gain_maps, pixels
from workers.images.colours import coded_profile, in_known_colours, source_profile
from workers.images.embedded_texts import read_texts
from workers.images.encode import LEAST_COARSENESS, Gain, needed_size, render
from workers.images.exif import parse_exif, read_exif, read_orientation
from workers.images.formats import Original
from workers.images.gif import Gif
from workers.images.heif import Heif
from workers.images.jpeg import Jpeg
from workers.images.limits import MAX_PIXELS
from workers.images.pdq import pdq
from workers.images.png import Png
from workers.images.rights import rights_packet
from workers.images.structure import ImageHeader, StructureError

EAGER = VariantRegistry().eager_variants
HASH_SIDE = 32  # pixels; a ThumbHash keeps 7 frequencies a side, more pixels only cost time
_WHITE = 255
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageRejectedError(Exception):
    """A file cannot become a photo; the text is the reason, for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """A decoded image: its upright size in pixels, a ThumbHash in base64, EXIF, embedded texts, variants by name.

    `hdr` is set if its JPEGs have a gain map, `motion` for an animation of which the variant with all frames can be
    made (`workers.images.motion`), `rights` if the variants name a creator or a licence. `pdq` is the text of the
    perceptual hash (`storage.perceptual_hashes`), `pdq_quality` is from 0 to 100.
    """

    width: int
    height: int
    placeholder: str
    exif: dict[str, Any]
    texts: dict[str, str]
    hdr: bool
    motion: bool
    variants: Mapping[str, bytes]
    rights: bool = False
    pdq: str = text_of(0)
    pdq_quality: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """An opened image: its header, upright pixels that suffice for the wanted variants, their profile, metadata."""

    header: ImageHeader
    orientation: int
    exif: dict[str, Any]
    texts: dict[str, str]
    upright: Image.Image
    profile: bytes | None
    gain: Gain | None

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of the whole image, upright."""
        return upright_size((self.header.width, self.header.height), self.orientation)

    def packet(self, rights: bool) -> bytes:
        """Return the XMP packet for the variants; none unless they are to have rights."""
        return rights_packet(self.texts) if rights else b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Presentation:
    """How the pixels of a file are shown: its profile, None for sRGB, and its EXIF orientation."""

    profile: bytes | None
    orientation: int

    def apply(self, image: Image.Image) -> tuple[Image.Image, bytes | None]:
        """Return an image upright and without transparency, and the profile to store with it."""
        flat, profile = _flat(image, self.profile)
        return self.turn(flat), profile

    def turn(self, image: Image.Image) -> Image.Image:
        """Return an image upright."""
        return image.transpose(_TRANSPOSE[self.orientation]) if self.orientation in _TRANSPOSE else image


def decode(
    data: bytes, variants: Sequence[Variant] = EAGER, *, max_pixels: int = MAX_PIXELS, rights: bool = False
) -> Decoded:
    """Decode the bytes of an image file of any accepted format; raise `ImageRejectedError`.

    With `rights` the variants have the creator and the licence that the file names (`workers.images.rights`).
    """
    picture = _open(data, variants, max_pixels)
    packet = picture.packet(rights)
    files, smallest = render(picture.upright, picture.profile, variants, picture.size, packet, gain=picture.gain)
    width, height = picture.size
    number, quality = pdq(smallest)
    return Decoded(
        width=width,
        height=height,
        placeholder=_placeholder(smallest),
        exif=picture.exif,
        texts=picture.texts,
        hdr=picture.gain is not None,
        motion=animations.find(data) is not None,
        variants=files,
        rights=bool(packet),
        pdq=text_of(number),
        pdq_quality=quality,
    )


def make(
    data: bytes, variants: Sequence[Variant], *, max_pixels: int = MAX_PIXELS, rights: bool = False
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return variants of an image file by name, and its embedded texts; `rights` and errors are those of `decode`."""
    picture = _open(data, variants, max_pixels)
    packet = picture.packet(rights)
    files, _ = render(picture.upright, picture.profile, variants, picture.size, packet, gain=picture.gain)
    return files, picture.texts


def _open(data: bytes, variants: Sequence[Variant], max_pixels: int) -> _Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of broken metadata, which is dropped
        try:
            original = formats.read(data)
            formats.check_size(original.header, max_pixels)
            header = original.header
            needed = needed_size(variants, header.width, header.height)
            image = pixels.load(original, needed)
        except StructureError as error:
            raise ImageRejectedError(str(error)) from error
        except formats.FormatError as error:
            raise ImageRejectedError(f"the file is not a picture of the types {formats.accepted()}") from error
        metadata = parse_exif(_exif_of(original))
        orientation, exif, texts = _orientation(original, metadata), read_exif(metadata), read_texts(original, metadata)
    presentation = Presentation(profile=_profile_of(original), orientation=orientation)
    upright, profile = presentation.apply(image)
    return _Picture(
        header=header,
        orientation=orientation,
        exif=exif,
        texts=texts,
        upright=upright,
        profile=profile,
        gain=_gain(data, original, presentation, needed),
    )


def _gain(data: bytes, original: Original, presentation: Presentation, needed: tuple[int, int]) -> Gain | None:
    """Return the gain map of an original, upright as its image, or None if it has none that is whole.

    It is as large as an image of the `needed` size may use.
    """
    found = gain_maps.find(data, original) if isinstance(original, Jpeg) else None
    if found is None:
        return None
    header = found.image.header
    width, height = (-(-side // LEAST_COARSENESS) for side in needed)
    try:
        image = pixels.load(found.image, (min(width, header.width), min(height, header.height)))
    except StructureError:
        return None
    if image.mode not in {"L", "RGB"}:
        return None
    coarseness = original.header.width / header.width
    return Gain(image=presentation.turn(image), numbers=found.numbers, coarseness=coarseness)


def presentation_of(original: Original) -> Presentation:
    """Return how the pixels of an original are shown."""
    metadata = parse_exif(_exif_of(original))
    return Presentation(profile=_profile_of(original), orientation=_orientation(original, metadata))


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height as displayed: EXIF orientations 5–8 swap them."""
    return (size[1], size[0]) if orientation >= 5 else size


def _orientation(original: Original, metadata: Image.Exif) -> int:
    # AVIF and HEIC have properties for it, which count; phones write it in both places.
    return original.orientation if isinstance(original, Heif) else read_orientation(metadata)


def _exif_of(original: Original) -> bytes:
    return b"" if isinstance(original, Gif) else original.exif


def _profile_of(original: Original) -> bytes | None:
    if isinstance(original, Png):
        return source_profile(original.colours)
    if isinstance(original, Heif):
        return coded_profile(original.profile, original.code_points)
    return None if isinstance(original, Gif) else original.profile


def _flat(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Return an image without transparency and the profile to store with it."""
    if image.mode not in {"LA", "RGBA"}:
        return in_known_colours(image, profile)
    # A profile describes colours without alpha, and a blend is of colours as they are shown.
    alpha = image.getchannel("A")
    opaque, stored = in_known_colours(image.convert(image.mode.removesuffix("A")), profile)
    white = Image.new(opaque.mode, opaque.size, _WHITE if opaque.mode == "L" else (_WHITE, _WHITE, _WHITE))
    white.paste(opaque, mask=alpha)
    return white, stored


def _placeholder(image: Image.Image) -> str:
    small = pixels.resized(image, HASH_SIDE).convert("RGBA")
    return base64.b64encode(bytes(thumbhash.rgba_to_thumb_hash(*small.size, small.tobytes()))).decode()
