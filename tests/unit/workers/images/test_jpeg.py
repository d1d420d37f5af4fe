"""The structure of a JPEG: lenient where libjpeg is, and bounded in the work that it may cost."""

from __future__ import annotations

import io
import struct
import time

import pytest
from PIL import Image

from tests.support.pictures import case, encoded, exif_with_gps, halves, jpeg_segment, photograph, srgb_profile
from workers.images import jpeg, limits
from workers.images.structure import StructureError, UnsupportedError

MPF = jpeg_segment(0xE2, b"MPF\0II*\0" + bytes(80))


def scans_of(size: int, scans: int, *, progressive: bool = True) -> bytes:
    """Return a JPEG of that many scans, which have no data: the cost of a scan is in its passes, not in its bytes."""
    frame = struct.pack(">BHHB", 8, size, size, 3) + b"\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    last = 0 if progressive else 63
    scan = jpeg_segment(0xDA, b"\x03\x01\x00\x02\x11\x03\x11" + bytes([0, last, 0])) + b"\xa0"
    return jpeg.SOI + jpeg_segment(0xC2 if progressive else 0xC0, frame) + scan * scans + jpeg.EOI


def positions(data: bytes) -> list[int]:
    """Return where the segments of a JPEG begin."""
    return [segment.at for segment in jpeg._segments(data)]


@pytest.mark.parametrize(
    "data", [case("scans300_mpo.jpg"), scans_of(1000, 3000), MPF.join([jpeg.SOI, scans_of(64, 101)[2:]])]
)
def test_too_many_scans_are_refused_at_once(data: bytes) -> None:
    """A JPEG of too many scans is refused, whatever other segments it has, in a fraction of the time to decode it."""
    started = time.process_time()
    with pytest.raises(StructureError, match="more than 100 passes"):
        jpeg.read(data)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize("progressive", [False, True])
def test_the_scans_of_a_large_image_are_bounded_by_its_size(progressive: bool) -> None:
    """The number of scans that is allowed falls with the number of pixels."""
    jpeg.read(scans_of(1000, limits.MAX_SCANS, progressive=progressive))
    jpeg.read(scans_of(7000, 20, progressive=progressive))
    with pytest.raises(StructureError, match="passes than are allowed for its size"):
        jpeg.read(scans_of(7000, 30, progressive=progressive))


def test_the_file_for_the_decoder_has_no_metadata() -> None:
    """Only tables, frames and scans remain, and the pixels are the same."""
    data = encoded(
        halves(), exif=exif_with_gps(3), comment=b"taken at home", icc_profile=srgb_profile(), xmp=b"<x/>", quality=95
    )
    found = jpeg.read(data[:2] + MPF + data[2:] + b"PK\x03\x04 rest")
    assert not any(word in found.file for word in (b"Exif", b"home", b"ICC", b"<x/>", b"MPF", b"rest"))
    assert found.profile == srgb_profile()
    assert found.exif[:2] in {b"II", b"MM"}
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(found.file)) as after:
        assert after.format == "JPEG"
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize(
    "garbage", [b"\0\0\0", b"\xff", b"\0\xff\0\xff\xd3", bytes(range(0x20, 0x80)), b"\xff\x3a\x11"]
)
@pytest.mark.parametrize("progressive", [False, True])
def test_bytes_between_segments_are_skipped(garbage: bytes, progressive: bool) -> None:
    """Bytes that are no marker may precede every segment; a reserved marker only before the data of a scan."""
    data = encoded(halves(), progressive=progressive)
    clean = jpeg.read(data)
    for at in positions(data):
        if not (b"\xff\x3a" in garbage and at > data.index(b"\xff\xda")):
            found = jpeg.read(data[:at] + garbage + data[at:])
            assert found.header == clean.header
            with Image.open(io.BytesIO(found.file)) as image:
                image.load()


def test_two_frames_are_refused() -> None:
    """A second header of a frame is refused: no limit was applied to its size."""
    data = encoded(halves())
    second = jpeg_segment(0xC0, struct.pack(">BHHB", 8, 60_000, 60_000, 3) + b"\x01\x22\x00\x02\x11\x01\x03\x11\x01")
    at = data.index(b"\xff\xda")
    with pytest.raises(StructureError, match="two headers"):
        jpeg.read(data[:at] + second + data[at:])


@pytest.mark.parametrize(
    ("marker", "precision", "components", "reason"),
    [
        (0xC3, 8, 3, "lossless or hierarchical"),
        (0xC5, 8, 3, "lossless or hierarchical"),
        (0xC1, 12, 3, "12 bits"),
        (0xC0, 8, 2, "2 colour components"),
    ],
)
def test_kinds_that_the_decoder_does_not_know_are_named(
    marker: int, precision: int, components: int, reason: str
) -> None:
    """A JPEG of a rare kind is refused with its kind, not as damaged."""
    frame = struct.pack(">BHHB", precision, 10, 10, components) + b"\x01\x11\x00" * components
    data = jpeg.SOI + jpeg_segment(marker, frame) + encoded(halves())[2:]
    for read in (jpeg.read, jpeg.read_header):
        with pytest.raises(UnsupportedError, match=reason):
            read(data)


def test_a_profile_in_several_segments_is_joined_in_its_order() -> None:
    """The parts of a profile are numbered; without one of them there is no profile."""
    parts = {number: bytes([number]) * 1000 for number in (1, 2, 3)}
    segments = {
        number: jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 3]) + part) for number, part in parts.items()
    }
    data = encoded(halves())
    shuffled = segments[3] + segments[1] + segments[2]
    assert jpeg.read(data[:2] + shuffled + data[2:]).profile == b"".join(parts.values())
    assert jpeg.read(data[:2] + segments[1] + segments[3] + data[2:]).profile is None


def test_metadata_before_the_frame_is_bounded_in_bytes() -> None:
    """Thousands of small segments are allowed, and megabytes of metadata; hundreds of thousands of segments are not."""
    data = encoded(halves())
    for many in (jpeg_segment(0xFE, b"x") * 5_000, jpeg_segment(0xE1, bytes(60_000)) * 150):
        assert jpeg.read_header(data[:2] + many + data[2:]).width == 60
    endless = data[:2] + jpeg_segment(0xFE, b"") * 300_000 + data[2:]
    started = time.process_time()
    for read in (jpeg.read, jpeg.read_header):
        with pytest.raises(StructureError, match="too much metadata"):
            read(endless)
    assert time.process_time() - started < 2


def test_a_missing_end_is_reported() -> None:
    """A JPEG without its end marker is read; one whose later scans are missing is refused."""
    data = photograph().read_bytes()
    assert jpeg.read(data).ended
    assert not jpeg.read(data[:-2]).ended
    progressive = encoded(halves(), progressive=True)
    for at in positions(progressive)[:-1]:
        with pytest.raises(StructureError):
            jpeg.read(progressive[:at])
