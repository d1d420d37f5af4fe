"""The image header: equal to that of Pillow for real images, and only our own errors for all other bytes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from server.media.image_header import BadImageError, NotAnImageError, read_header
from tests.support.pictures import encoded, exif_with_gps, halves, photograph, png_of
from workers.images.structure import JPEG, PNG, ImageHeader


def header_of(data: bytes) -> ImageHeader:
    """Return the header of a file's bytes."""
    return read_header(io.BytesIO(data))


@pytest.mark.parametrize("name", ["rocket", "temple", "flower"])
def test_photographs_have_the_size_that_pillow_reads(name: str) -> None:
    """The header of a real photograph has the size that the decoder reads."""
    data = photograph(name).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        assert header_of(data) == ImageHeader(JPEG, *image.size)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_kinds_of_jpeg(mode: str, progressive: bool) -> None:
    """Grey, RGB and CMYK, baseline and progressive JPEGs are read, with metadata before the frame."""
    data = encoded(halves(31, 17, mode), progressive=progressive, exif=exif_with_gps(), comment=b"x" * 60_000)
    assert header_of(data) == ImageHeader(JPEG, 31, 17)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_kinds_of_png(mode: str) -> None:
    """Every colour type of PNG is read."""
    image = Image.new(mode, (31, 17)) if mode == "I;16" else halves(31, 17).convert(mode)
    assert header_of(encoded(image, "PNG")) == ImageHeader(PNG, 31, 17)


def test_frames_are_counted() -> None:
    """The frames of an animated PNG are counted; a still one has one."""
    animation = encoded(halves(), "PNG", save_all=True, append_images=[halves(mode="RGB").rotate(90)])
    assert header_of(animation).frames == 2
    assert header_of(png_of(3, 3)).frames == 1


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    """A marker of a JPEG may be preceded by fill bytes."""
    data = encoded(halves(20, 10))
    assert header_of(data[:2] + b"\xff\xff" + data[2:]) == ImageHeader(JPEG, 20, 10)


@given(st.integers(0, 2000))
def test_a_truncated_image_is_invalid_unless_its_header_is_complete(length: int) -> None:
    """A file that is truncated anywhere is either rejected or has a complete header."""
    whole = photograph().read_bytes()
    try:
        assert header_of(whole[:length]) == header_of(whole)
    except BadImageError:
        assert length < 2000
    except NotAnImageError:
        assert length < 3


@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]),
    st.binary(max_size=200),
)
def test_any_bytes_give_a_header_or_our_errors(start: bytes, rest: bytes) -> None:
    """No bytes raise any other exception, and no size is zero."""
    try:
        found = header_of(start + rest)
    except (BadImageError, NotAnImageError):
        return
    assert found.pixels > 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff", "ends within"),
        (b"\xff\xd8\xff\xda", "contains no image"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x10\x03", "ends within"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x10\x03" + bytes(9), "is invalid"),
        (png_of(0, 1), "is invalid"),
        (b"\x89PNG\r\n\x1a\n" + bytes(12), "does not begin"),
    ],
)
def test_the_error_has_the_reason(data: bytes, reason: str) -> None:
    """The message says what is invalid."""
    with pytest.raises(BadImageError, match=reason):
        header_of(data)
