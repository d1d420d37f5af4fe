"""No secret of a file is in any image that is published: a marker and a position, in each place of each format."""

from __future__ import annotations

import pytest

from storage.blobs.variants import MOTION, VariantRegistry
from tests.support.secret_files import FORMATS, MARKER, PLACES, secrets_in
from workers.images import animations, motion
from workers.images.decode import decode, make
from workers.images.formats import HEIC_IS_INSTALLED
from workers.images.limits import MAX_PIXELS
from workers.images.published import check
from workers.images.rights import rights_packet

# The pictures have 60 × 40 pixels, so all larger variants are equal to these.
REGISTRY = VariantRegistry()
VARIANTS = [one for one in map(REGISTRY.find, REGISTRY.names) if one and one.side <= 320 and not one.motion]


@pytest.mark.parametrize(("format_", "place"), PLACES)
@pytest.mark.parametrize("rights", [False, True], ids=["without rights", "with rights"])
def test_no_variant_has_a_secret(format_: str, place: str, rights: bool) -> None:
    """The secret is in the file, and in no variant of any format, in no encoding of it."""
    if format_ == "HEIC" and not HEIC_IS_INSTALLED:
        pytest.skip("the extra for HEIC is not installed")
    data = FORMATS[format_][place]()
    assert secrets_in(data)
    files, texts = make(data, VARIANTS, rights=rights)
    assert len(files) == len(VARIANTS)
    for name, variant in files.items():
        check(variant, name.rpartition(".")[2], rights_packet(texts) if rights else b"")
        assert secrets_in(variant) == []


@pytest.mark.parametrize("format_", ["PNG", "WebP", "GIF"])
def test_no_animation_has_a_secret(format_: str) -> None:
    """Neither has the variant in motion."""
    data = FORMATS[format_]["animation"]()
    assert secrets_in(data)
    assert animations.find(data) is not None
    (variant,) = motion.make(data, max_pixels=MAX_PIXELS).values()
    check(variant, MOTION.format, motion=True)
    assert secrets_in(variant) == []


def test_the_secrets_are_what_readers_find() -> None:
    """The planted EXIF and XMP are valid: the owner's data have the position, and the texts the marker."""
    for format_, kind in (("JPEG", "EXIF"), ("WebP", "EXIF"), ("AVIF", "EXIF"), ("PNG", "eXIf")):
        found = decode(FORMATS[format_][kind]()).exif
        assert (found["ImageDescription"], found["location"]["latitude"]) == (MARKER, 52.508475)
    for format_ in ("JPEG", "PNG", "WebP", "AVIF"):
        assert decode(FORMATS[format_]["XMP"]()).texts["alt_text"] == MARKER
    assert decode(FORMATS["JPEG"]["IPTC"]()).texts["caption"] == MARKER
    assert decode(FORMATS["JPEG"]["gain map"]()).hdr
