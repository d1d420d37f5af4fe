"""The image header: what Pillow says of real pictures, and nothing but our own errors for anything else."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from server.media.image_header import JPEG, PNG, BadImageError, ImageHeader, NotAnImageError, read_header
from tests.support.pictures import encoded, exif_with_gps, halves, photograph, png_of


def header_of(data: bytes) -> ImageHeader:
    """Return the header of a file's bytes."""
    return read_header(io.BytesIO(data))


@pytest.mark.parametrize("name", ["rocket", "temple", "flower"])
def test_photographs_are_as_large_as_pillow_says(name: str) -> None:
    """Our reading and the decoder's agree on real photographs."""
    data = photograph(name).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        assert header_of(data) == ImageHeader(JPEG, *image.size)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_kinds_of_jpeg(mode: str, progressive: bool) -> None:
    """Grey, colour and print colours, baseline and progressive, with metadata in front."""
    data = encoded(halves(31, 17, mode), progressive=progressive, exif=exif_with_gps(), comment=b"x" * 60_000)
    assert header_of(data) == ImageHeader(JPEG, 31, 17)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_kinds_of_png(mode: str) -> None:
    """Every colour type that a PNG has."""
    image = Image.new(mode, (31, 17)) if mode == "I;16" else halves(31, 17).convert(mode)
    assert header_of(encoded(image, "PNG")) == ImageHeader(PNG, 31, 17)


def test_frames_are_counted() -> None:
    """An animated PNG tells its frames, a still one has one."""
    animation = encoded(halves(), "PNG", save_all=True, append_images=[halves(mode="RGB").rotate(90)])
    assert header_of(animation).frames == 2
    assert header_of(png_of(3, 3)).frames == 1


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    """A JPEG may pad its markers."""
    data = encoded(halves(20, 10))
    assert header_of(data[:2] + b"\xff\xff" + data[2:]) == ImageHeader(JPEG, 20, 10)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(0, 2000))
def test_a_cut_picture_is_bad_or_whole_enough(length: int) -> None:
    """A file cut anywhere is either refused or its header was complete."""
    whole = photograph().read_bytes()
    try:
        assert header_of(whole[:length]) == header_of(whole)
    except BadImageError:
        assert length < 2000
    except NotAnImageError:
        assert length < 3


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]),
    st.binary(max_size=200),
)
def test_any_bytes_give_a_header_or_our_errors(start: bytes, rest: bytes) -> None:
    """Nothing that is sent raises anything else, and no size is zero."""
    try:
        found = header_of(start + rest)
    except (BadImageError, NotAnImageError):
        return
    assert found.pixels > 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff", "cut off"),
        (b"\xff\xd8\xff\xda", "no picture"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x10\x03", "makes no sense"),
        (png_of(0, 1), "makes no sense"),
        (b"\x89PNG\r\n\x1a\n" + bytes(12), "does not begin"),
    ],
)
def test_the_reason_is_told(data: bytes, words: str) -> None:
    """A person reads what is wrong."""
    with pytest.raises(BadImageError, match=words):
        header_of(data)
