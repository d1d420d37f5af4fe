"""Files that are unusual and whole are accepted, and the reason of a rejection is true."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from server.media.image_header import read_header
from tests.support.pictures import case, encoded, halves, photograph, png_chunk, png_with, raw_png
from workers.images.decode import ImageRejectedError, decode

CASES = {
    "garbage_between.jpg": (400, 300),
    "no_eoi.jpg": (1600, 1200),
    "iccp_2mb.png": (400, 300),
    "png_badcrc_text.png": (400, 300),
    "text_1100.png": (400, 300),
    "1x65535.jpg": (1, 65_500),
    "icc_secret.jpg": (400, 300),
    "gama1.png": (400, 300),
    "grayalpha_profile.png": (400, 300),
    "gray16_trns.png": (80, 60),
}


@pytest.mark.parametrize(("name", "size"), CASES.items())
def test_the_cases_are_accepted(name: str, size: tuple[int, int]) -> None:
    """The API and the decoder accept every case, with the same size."""
    header = read_header(io.BytesIO(case(name)))
    decoded = decode(case(name))
    assert (header.width, header.height) == (decoded.width, decoded.height) == size


def test_the_costly_case_is_rejected_at_once() -> None:
    """A JPEG of 300 scans with the segment of another format is rejected for its scans in less than 0.2 seconds."""
    started = time.process_time()
    with pytest.raises(ImageRejectedError, match="passes"):
        decode(case("scans300_mpo.jpg"))
    assert time.process_time() - started < 0.2


SOURCES = {
    "baseline": encoded(Image.open(photograph("rocket"))),
    "progressive": encoded(Image.open(photograph("rocket")), progressive=True),
    "grey": encoded(Image.open(photograph("rocket")).convert("L")),
    "cmyk": encoded(Image.open(photograph("rocket")).convert("CMYK")),
    "large": encoded(Image.open(photograph("rocket")).resize((2560, 1708)), quality=60),
    "flat": encoded(Image.new("RGB", (640, 427), (20, 90, 160))),
    "restarts": encoded(Image.open(photograph("rocket")), restart_marker_blocks=4),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_jpeg_without_its_end_is_accepted_if_its_pixels_are_all_there(name: str) -> None:
    """Without its end marker a JPEG gives the same variants, and with fewer bytes of its pixels it is rejected."""
    data = SOURCES[name]
    assert decode(data[:-2]) == decode(data)
    assert decode(data[:-1]) == decode(data)
    for missing in (40, 400, len(data) // 2):
        with pytest.raises(ImageRejectedError, match="damaged or cut off"):
            decode(data[: -2 - missing])


@pytest.mark.parametrize("missing", [4, 12, 16])
def test_a_png_without_its_end_is_accepted(missing: int) -> None:
    """The chunk at the end, and the checksum before it, are not needed."""
    data = encoded(halves(), "PNG")
    assert decode(data[:-missing]) == decode(data)


@pytest.mark.parametrize(("size", "reason"), [((1, 65_501), "65,500 on one side"), ((65_501, 1), "65,500 on one side")])
def test_longer_sides_are_rejected_with_their_limit(size: tuple[int, int], reason: str) -> None:
    """The reason has the limit."""
    data = raw_png(*size, depth=8, colour=0, row=bytes(size[0]))
    with pytest.raises(ImageRejectedError, match=reason):
        decode(data)


@pytest.mark.parametrize("size", [(1, 65_500), (65_500, 1), (65_500, 700), (3, 40_000)])
def test_long_sides_are_accepted(size: tuple[int, int]) -> None:
    """An image may be as long as the decoder of JPEGs reads, in both formats."""
    decoded = decode(raw_png(*size, depth=8, colour=0, row=bytes(size[0])))
    assert (decoded.width, decoded.height) == size


def test_a_chunk_that_is_too_large_is_not_the_reason() -> None:
    """An oversized chunk of metadata is dropped; a damaged image with it is rejected as damaged."""
    large = png_chunk(b"zTXt", b"k\0\0" + bytes(3_000_000))
    assert decode(png_with(encoded(halves(), "PNG"), large)).width == 60
    cut = png_with(encoded(halves(400, 400), "PNG")[:-60], large)
    with pytest.raises(ImageRejectedError, match="damaged or cut off"):
        decode(cut)
