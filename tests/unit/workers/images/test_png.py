"""The structure of a PNG: chunks that are not needed may be damaged, and the bytes before the pixels are bounded."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from PIL import Image

from tests.support.pictures import damaged, encoded, exif_with_gps, halves, png_chunk, png_of, png_with
from workers.images import png
from workers.images.structure import StructureError, UnsupportedError

DATA = encoded(halves(), "PNG")
END = png_chunk(b"IEND", b"")
ANCILLARY = [
    png_chunk(b"tEXt", b"abc\0defg"),
    png_chunk(b"zTXt", b"abc\0\0not deflated"),
    png_chunk(b"iTXt", b"abc\0\1\0\0\0not deflated"),
    png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(500))),
    png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(9_000_000))),
    png_chunk(b"gAMA", b"\0\0"),
    png_chunk(b"cHRM", b"\0" * 31),
    png_chunk(b"sRGB", b""),
    png_chunk(b"cICP", b"\x09"),
    png_chunk(b"pHYs", b"\0"),
    png_chunk(b"tIME", b"\0"),
    png_chunk(b"tRNS", b"\0"),
    png_chunk(b"eXIf", b"junk"),
    png_chunk(b"acTL", b"\0"),
    png_chunk(b"fcTL", b"\0"),
    png_chunk(b"bKGD", b"\0"),
    png_chunk(b"PLTE", b"\0"),  # for an image without palette it is only a suggestion
    png_chunk(b"prVt", b"\0"),
]


@pytest.mark.parametrize("chunk", [*ANCILLARY, *map(damaged, ANCILLARY)], ids=lambda chunk: chunk[4:8].decode())
def test_chunks_that_are_not_needed_cannot_make_an_image_unreadable(chunk: bytes) -> None:
    """An ancillary chunk that is damaged or invalid is skipped."""
    found = png.read(png_with(DATA, chunk))
    assert found.header == png.read_header(png_with(DATA, chunk)) == png.read_header(DATA)
    with Image.open(io.BytesIO(found.file)) as image:
        assert image.tobytes() == halves().tobytes()


def test_what_a_damaged_or_oversized_chunk_says_is_not_used() -> None:
    """A wrong checksum makes a chunk void, and a profile beyond the limit is none."""
    gamma = png_chunk(b"gAMA", struct.pack(">I", 100_000))
    assert png.read(png_with(DATA, gamma)).colours.gamma == 1
    assert png.read(png_with(DATA, damaged(gamma))).colours.gamma is None
    large = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(9_000_000)))
    assert png.read(png_with(DATA, large)).colours.profile is None


@pytest.mark.parametrize("damage", [b"IHDR", b"IDAT"])
def test_a_damaged_chunk_that_is_needed_is_refused(damage: bytes) -> None:
    """The header and the pixels must have their right checksums."""
    at = DATA.index(damage)
    length = int.from_bytes(DATA[at - 4 : at], "big")
    data = bytearray(DATA)
    data[at + 4 + length] ^= 1
    with pytest.raises(StructureError, match=r"invalid|damaged"):
        png.read(bytes(data))


def test_a_damaged_palette_is_refused() -> None:
    """The palette of an image that has one is needed."""
    data = encoded(halves(mode="P"), "PNG")
    at = data.index(b"PLTE")
    with pytest.raises(StructureError, match="palette"):
        png.read(data[: at + 4] + bytes([data[at + 4] ^ 1]) + data[at + 5 :])


def test_an_animation_is_counted_only_if_its_chunk_is_sound() -> None:
    """The header and the whole file agree on the number of frames."""
    animation = png_chunk(b"acTL", struct.pack(">II", 3, 0))
    for chunk, frames in ((animation, 3), (damaged(animation), 1)):
        assert png.read_header(png_with(DATA, chunk)).frames == png.read(png_with(DATA, chunk)).header.frames == frames


def test_the_bytes_before_the_pixels_are_bounded() -> None:
    """Thousands of chunks are allowed, megabytes of metadata are, and hundreds of thousands of chunks are not."""
    for many in (png_chunk(b"tEXt", b"k\0v") * 20_000, png_chunk(b"iTXt", bytes(9_000_000))):
        assert png.read_header(png_with(DATA, many)).width == png.read(png_with(DATA, many)).header.width == 60
    endless = png_with(DATA, png_chunk(b"tEXt", b"") * 300_000)
    started = time.process_time()
    for read in (png.read, png.read_header):
        with pytest.raises(StructureError, match="too much metadata"):
            read(endless)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("missing", [1, 4, 8, 12])
def test_an_image_may_end_with_its_pixels(missing: int) -> None:
    """The end chunk may be missing or incomplete."""
    with Image.open(io.BytesIO(png.read(DATA[:-missing]).file)) as image:
        assert image.tobytes() == halves().tobytes()


def test_unknown_critical_chunks_are_named() -> None:
    """A chunk without which the pixels cannot be understood is not skipped."""
    with pytest.raises(UnsupportedError, match="ABCD"):
        png.read(png_with(DATA, png_chunk(b"ABCD", b"")))


def test_exif_may_follow_the_pixels() -> None:
    """EXIF is found before and behind the pixels."""
    exif = exif_with_gps().tobytes().removeprefix(b"Exif\0\0")
    chunk = png_chunk(b"eXIf", exif)
    assert png.read(png_with(DATA, chunk)).exif == png.read(DATA[: -len(END)] + chunk + END).exif == exif


@pytest.mark.parametrize(("depth", "colour"), [(3, 0), (4, 2), (16, 3), (4, 4), (2, 6), (8, 5)])
def test_layouts_that_do_not_exist_are_invalid(depth: int, colour: int) -> None:
    """A depth that a colour type does not have is refused."""
    header = struct.pack(">IIBBBBB", 4, 4, depth, colour, 0, 0, 0)
    with pytest.raises(StructureError, match="is invalid"):
        png.read_header(png.SIGNATURE + png_chunk(b"IHDR", header) + png_of(4, 4)[33:])
