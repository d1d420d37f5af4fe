"""The check of variants before they are published: everything but pixels and a profile of ours is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageCms

from storage.blobs.variants import Variant, VariantRegistry
from tests.support.pictures import (
    XMP,
    encoded,
    exif_with_gps,
    halves,
    jpeg_segment,
    jpeg_with_metadata,
    photograph,
    srgb_profile,
)
from workers.images.decode import make
from workers.images.profiles import adobe_rgb, display_p3
from workers.images.published import ForeignBytesError, check

REGISTRY = VariantRegistry()
ALL = [Variant(side=side, square=False, format=name) for side in (320, 1080) for name in REGISTRY.formats]
PILLOW = {"jpg": "JPEG", "webp": "WEBP", "avif": "AVIF"}
SECRETS: dict[str, dict[str, Any]] = {
    "EXIF": {"exif": exif_with_gps()},
    "XMP": {"xmp": XMP},
    "a foreign profile": {"icc_profile": srgb_profile()},
}


def saved(format_: str, **options: Any) -> bytes:
    """Return an image as the encoder writes it, with these options."""
    return encoded(halves(), PILLOW[format_], **options)


def webp_with(kind: bytes, body: bytes) -> bytes:
    """Return a WebP with another chunk, whose sizes are right."""
    data = saved("webp") + kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box of an AVIF."""
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize("profile", [None, display_p3(), adobe_rgb()], ids=["sRGB", "P3", "Adobe RGB"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_all_variants_pass(kind: str, profile: bytes | None) -> None:
    """What the encoders make of each format, with and without a profile, is published."""
    original = encoded(Image.open(photograph("rocket")), kind, icc_profile=profile, exif=exif_with_gps())
    for name, data in make(original, ALL)[0].items():
        check(data, name.rpartition(".")[2])


def test_grey_and_metadata_pass() -> None:
    """Grey images too, and those of files with every kind of metadata."""
    for original in (encoded(halves(mode="L")), jpeg_with_metadata(6)):
        for name, data in make(original, ALL)[0].items():
            check(data, name.rpartition(".")[2])


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("format_", PILLOW)
def test_metadata_of_an_encoder_is_refused(format_: str, secret: str) -> None:
    """EXIF, XMP and a profile that is not ours are refused in every format."""
    check(saved(format_), format_)
    with pytest.raises(ForeignBytesError):
        check(saved(format_, **SECRETS[secret]), format_)


@pytest.mark.parametrize("tail", [b"\0", b"PK\x03\x04", b"<html><script>alert(1)</script>", b"\xff\xd9"])
@pytest.mark.parametrize("format_", PILLOW)
def test_bytes_behind_the_image_are_refused(format_: str, tail: bytes) -> None:
    """Not a single byte may follow the image."""
    with pytest.raises(ForeignBytesError):
        check(saved(format_) + tail, format_)


JPEG_SEGMENTS: dict[str, Callable[[], bytes]] = {
    "a comment": lambda: jpeg_segment(0xFE, b"taken at home"),
    "Photoshop": lambda: jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM"),
    "Adobe": lambda: jpeg_segment(0xEE, b"Adobe\0d\0\0\0\0\1"),
    "MPF": lambda: jpeg_segment(0xE2, b"MPF\0II*\0"),
    "a profile in two parts": lambda: jpeg_segment(0xE2, b"ICC_PROFILE\0\x01\x02" + display_p3()),
    "a profile with a secret": lambda: jpeg_segment(0xE2, b"ICC_PROFILE\0\x01\x01" + display_p3() + b"x"),
    "a thumbnail": lambda: jpeg_segment(0xE0, b"JFIF\0\x01\x01\0\0\1\0\1\1\1abc"),
    "an extension of JFIF": lambda: jpeg_segment(0xE0, b"JFXX\0\x13abc"),
    "stray bytes": lambda: b"home",
}


@pytest.mark.parametrize("name", JPEG_SEGMENTS)
def test_other_segments_of_a_jpeg_are_refused(name: str) -> None:
    """A segment that our encoder does not write is refused, before and after the pixels."""
    data, segment = saved("jpg"), JPEG_SEGMENTS[name]()
    for altered in (data[:2] + segment + data[2:], data[:-2] + segment + data[-2:]):
        if name == "stray bytes" and altered.endswith(segment + b"\xff\xd9"):
            continue  # these are coded pixels to every reader
        with pytest.raises(ForeignBytesError):
            check(altered, "jpg")


@pytest.mark.parametrize(
    "data",
    [
        webp_with(b"EXIF", b"Exif\0\0II"),
        webp_with(b"XMP ", XMP),
        webp_with(b"home", b"x"),
        webp_with(b"ICCP", b"x" * 20),
        webp_with(b"VP8X", b"x" * 10),
        saved("webp")[:4] + b"\xff\0\0\0" + saved("webp")[8:],
        saved("jpg"),
    ],
)
def test_other_chunks_of_a_webp_are_refused(data: bytes) -> None:
    """A chunk that our encoder does not write is refused."""
    with pytest.raises(ForeignBytesError):
        check(data, "webp")


@pytest.mark.parametrize("extra", [box(b"free", b"home"), box(b"uuid", b"x" * 20), box(b"mdat", b"home"), bytes(8)])
def test_other_boxes_of_an_avif_are_refused(extra: bytes) -> None:
    """A box that our encoder does not write, or a second one of a type, is refused."""
    data = saved("avif")
    start = data.index(b"meta") - 4
    for altered in (data + extra, data[:start] + extra + data[start:]):
        with pytest.raises(ForeignBytesError):
            check(altered, "avif")


@pytest.mark.parametrize(("old", "new"), [(b"Color\0", b"Home!\0"), (b"pict\0\0", b"pict\0x"), (b"miaf", b"home")])
def test_texts_in_the_boxes_of_an_avif_are_refused(old: bytes, new: bytes) -> None:
    """The names that boxes can have are those of our encoder."""
    data = saved("avif")
    assert data.count(old) == 1
    with pytest.raises(ForeignBytesError):
        check(data.replace(old, new), "avif")


def test_a_gap_in_the_data_of_an_avif_is_refused() -> None:
    """The data hold nothing but the item of the image."""
    data = saved("avif")
    start = data.index(b"mdat") - 4
    size = struct.unpack(">I", data[start : start + 4])[0]
    with pytest.raises(ForeignBytesError):
        check(data[:start] + struct.pack(">I", size + 4) + data[start + 4 :] + b"home", "avif")


def test_cut_files_are_refused() -> None:
    """A file that ends early is refused, wherever it is cut."""
    for format_ in PILLOW:
        data = saved(format_)
        for length in (0, 1, 3, 11, 21, 40, len(data) // 2, len(data) - 1):
            with pytest.raises(ForeignBytesError):
                check(data[:length], format_)


def test_a_profile_is_compared_whole() -> None:
    """A text that is appended to one of our profiles, where Pillow still reads it, is found."""
    profile = display_p3()[:-4] + b"home"
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
    with pytest.raises(ForeignBytesError):
        check(saved("jpg", icc_profile=profile), "jpg")
