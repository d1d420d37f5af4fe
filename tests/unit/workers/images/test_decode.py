"""What pictures become, and which are refused."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from tests.support.pictures import (
    BLUE,
    RED,
    encoded,
    exif_with_gps,
    halves,
    jpeg_with_metadata,
    photograph,
    png_of,
)
from workers.images.decode import Decoded, ImageRejectedError, decode
from workers.images.pixels import fitting


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    """Decode bytes by way of a file."""
    return Maker(tmp_path / "original")


class Maker:
    """Write bytes to a file and decode that."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, data: bytes) -> Decoded:
        """Return the decoded bytes of a file."""
        self._path.write_bytes(data)
        return decode(self._path)


def variant(decoded: Decoded, name: str = "feed") -> Image.Image:
    """Return a variant, opened."""
    return Image.open(io.BytesIO(decoded.variants[name]))


def near(colour: object, expected: tuple[int, int, int], tolerance: int = 24) -> bool:
    """Return whether a pixel is close to a colour: JPEG is not exact."""
    return isinstance(colour, tuple) and all(abs(a - b) <= tolerance for a, b in zip(colour, expected, strict=True))


@pytest.mark.parametrize(
    ("width", "height", "side", "expected"),
    [
        (6000, 4000, 1080, (1080, 720)),
        (4000, 6000, 320, (213, 320)),
        (640, 427, 1080, (640, 427)),
        (1080, 1080, 1080, (1080, 1080)),
        (30000, 10, 320, (320, 1)),
        (1, 1, 320, (1, 1)),
    ],
)
def test_fitting(width: int, height: int, side: int, expected: tuple[int, int]) -> None:
    """A variant keeps the aspect, is never enlarged and has at least one pixel a side."""
    assert fitting(width, height, side) == expected


def test_too_many_passes_are_rejected(made: Maker) -> None:
    """A progressive JPEG of thousands of passes is rejected before they are decoded.

    An ordinary one is not, whatever its comment says and whatever lies behind its end.
    """
    data = encoded(halves(), progressive=True, comment=b"\xff\xda" * 1000)
    start = data.rindex(b"\xff\xda")
    made(data + b"\xff\xda\x00\x02" * 1000)
    with pytest.raises(ImageRejectedError, match="passes"):
        made(data[:-2] + data[start:-2] * 1000 + data[-2:])


def test_photograph() -> None:
    """A photograph becomes a feed and a thumb variant of its aspect, progressive JPEGs smaller than itself."""
    decoded = decode(photograph("rocket"))
    assert (decoded.width, decoded.height) == (640, 427)
    assert [variant(decoded, name).size for name in ("feed", "thumb")] == [(640, 427), (320, 214)]
    for name, data in decoded.variants.items():
        image = variant(decoded, name)
        assert (image.format, image.info.get("progressive")) == ("JPEG", 1)
        assert len(data) < photograph("rocket").stat().st_size


def test_large_is_shrunk(made: Maker) -> None:
    """The longest sides of a large photo's variants are 1080 and 320, and its own size is reported."""
    decoded = made(encoded(halves(2400, 1600)))
    assert (decoded.width, decoded.height) == (2400, 1600)
    assert [variant(decoded, name).size for name in ("feed", "thumb")] == [(1080, 720), (320, 213)]
    assert near(variant(decoded).getpixel((100, 300)), RED)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied(made: Maker, orientation: int) -> None:
    """In every EXIF orientation the image, its size and the placeholder are upright."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = halves(64, 40)
    upright.paste((250, 250, 250), (0, 0, 20, 12))  # a corner, so that a mirrored picture is not the same
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    decoded = made(encoded(stored, exif=exif_with_gps(orientation), quality=95, subsampling=0))
    shown = variant(decoded)
    assert (decoded.width, decoded.height) == shown.size == (64, 40)
    assert near(shown.getpixel((5, 4)), (250, 250, 250), 30)
    assert near(shown.getpixel((5, 35)), RED, 40)
    assert near(shown.getpixel((60, 4)), BLUE, 40)
    assert decoded.placeholder == made(encoded(upright, quality=95, subsampling=0)).placeholder


def test_no_metadata_remains(made: Maker) -> None:
    """No variant carries EXIF, GPS, XMP, a comment, a profile of sRGB or foreign bytes."""
    decoded = made(jpeg_with_metadata())
    for name, data in decoded.variants.items():
        image = variant(decoded, name)
        assert len(image.getexif()) == 0
        assert set(image.info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "progressive",
            "progression",
        }
        for word in (b"Exif", b"GPS", b"Optics", b"xmp", b"home", b"<html", b"script", b"PK\x03\x04", b"2026"):
            assert word not in data


def test_no_png_metadata_remains(made: Maker) -> None:
    """A PNG's texts and its EXIF behind the pixels are stripped too."""
    decoded = made(encoded(halves(), "PNG", exif=exif_with_gps()))
    assert decoded.exif["Make"] == "PicShare Optics"
    assert all(b"Optics" not in data for data in decoded.variants.values())


def test_owner_reads_exif(made: Maker) -> None:
    """The EXIF for the owner has camera, time and place, as JSON that PostgreSQL accepts."""
    exif = made(jpeg_with_metadata(6)).exif
    assert exif["Make"] == "PicShare Optics"
    assert exif["Model"] == "One"
    assert exif["DateTimeOriginal"] == "2026:11:20 10:00:00"
    assert exif["GPS"] == {
        "GPSLatitudeRef": "N",
        "GPSLatitude": [52.0, 30.0, 30.5],
        "GPSLongitudeRef": "E",
        "GPSLongitude": [13.0, 22.0, 12.0],
    }
    assert "MakerNote" not in exif
    assert "\\u0000" not in json.dumps(exif, allow_nan=False)


def test_exif_is_bounded(made: Maker) -> None:
    """Very large EXIF becomes a small map."""
    exif = Image.Exif()
    for tag in (0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        exif[tag] = "x" * 5000
    exif[0x8769] = {0x9003: "\x00\x1b", 0x829A: IFDRational(0, 0), 0x927C: b"\xff" * 9000}
    plain = made(encoded(halves(), exif=exif)).exif
    assert plain.keys() >= {"Make", "Model", "Software"}
    assert len(json.dumps(plain, allow_nan=False)) < 7 * 300


def test_broken_exif(made: Maker) -> None:
    """A photo with broken EXIF loses only its EXIF."""
    decoded = made(encoded(halves(), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 40))
    assert decoded.exif == {}
    assert variant(decoded).size == (60, 40)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_png_modes(made: Maker, mode: str) -> None:
    """Every kind of PNG is shown with its left side lighter or redder as it was."""
    if mode == "I;16":
        image = Image.new("I;16", (60, 40), 200 * 257)
        image.paste(40 * 257, (30, 0, 60, 40))
    else:
        image = halves(mode="RGB" if mode == "1" else mode) if mode != "1" else two_tone()
    decoded = made(encoded(image, "PNG"))
    shown = variant(decoded)
    left, right = shown.convert("RGB").getpixel((10, 20)), shown.convert("RGB").getpixel((50, 20))
    expected = {
        "L": ((86, 86, 86), (52, 52, 52)),
        "LA": ((86, 86, 86), (52, 52, 52)),
        "1": ((255, 255, 255), (0, 0, 0)),
        "I;16": ((200, 200, 200), (40, 40, 40)),
    }.get(mode, (RED, BLUE))
    assert near(left, expected[0], 30), left
    assert near(right, expected[1], 30), right


def two_tone() -> Image.Image:
    """Return a one-bit image, white on the left."""
    image = Image.new("1", (60, 40), 1)
    image.paste(0, (30, 0, 60, 40))
    return image


def test_cmyk(made: Maker) -> None:
    """A CMYK photo is shown in its colours, as RGB."""
    shown = variant(made(encoded(halves(mode="CMYK"))))
    assert shown.mode == "RGB"
    assert near(shown.getpixel((10, 20)), RED, 40)


def test_transparency_is_white(made: Maker) -> None:
    """Transparent pixels become white, even where their colour is black, and the edge has no dark fringe."""
    image = Image.new("RGBA", (2000, 1000), (0, 0, 0, 0))
    image.paste((220, 30, 30, 255), (0, 0, 1000, 1000))
    shown = variant(made(encoded(image, "PNG")))
    assert near(shown.getpixel((1000, 250)), (255, 255, 255))
    edge = [shown.getpixel((x, 250)) for x in range(530, 550)]
    assert all(isinstance(pixel, tuple) and pixel[0] > 190 for pixel in edge)


def test_palette_transparency(made: Maker) -> None:
    """A palette's transparent colour becomes white."""
    image = Image.new("P", (40, 40), 0)
    image.putpalette([0, 0, 0, 220, 30, 30])
    image.paste(1, (0, 0, 20, 40))
    shown = variant(made(encoded(image, "PNG", transparency=0)))
    assert near(shown.getpixel((35, 20)), (255, 255, 255))
    assert near(shown.getpixel((5, 20)), RED)


def test_an_invalid_profile_is_dropped(made: Maker) -> None:
    """A colour profile that is invalid, or of another colour space, is dropped."""
    for profile in (b"<html>not a profile</html>" * 10, b"\x00" * 16 + b"CMYK" + b"<html>" * 30):
        decoded = made(encoded(halves(), icc_profile=profile))
        assert "icc_profile" not in variant(decoded).info
        assert b"<html>" not in decoded.variants["feed"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG or PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG or PNG"),
        (b"%PDF-1.7", "not a JPEG or PNG"),
        (encoded(halves(), "GIF"), "not a JPEG or PNG"),
        (photograph("cat").read_bytes()[:20_000], "damaged or cut off"),
        (photograph("cat").read_bytes()[:200], "ends within its header|cut off"),
        (encoded(halves(400, 400), "PNG")[:-60], "damaged or cut off"),
        (png_of(10_000, 5_001), r"10000 × 5001 pixels"),
        (png_of(100_000, 100_000), "pixels"),
        (png_of(70_000, 10), "70000 × 10 pixels, more than 65,500 on one side"),
        (png_of(10, 10, rows=10, animated=True), "animated"),
    ],
)
def test_rejected(made: Maker, data: bytes, reason: str) -> None:
    """A file that cannot be shown is rejected with a reason for the user."""
    with pytest.raises(ImageRejectedError, match=reason):
        made(data)


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is an error of the caller, not a rejection."""
    with pytest.raises(FileNotFoundError):
        decode(tmp_path / "missing")


def test_damaged_files_are_decoded_or_rejected(made: Maker) -> None:
    """A damaged file is decoded or rejected; nothing else is raised."""
    rng = random.Random(7)
    sources = (
        jpeg_with_metadata(3),
        encoded(halves(mode="P"), "PNG"),
        encoded(halves(mode="CMYK"), exif=exif_with_gps()),
    )
    outcomes = {"shown": 0, "refused": 0}
    for _ in range(150):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            made(bytes(data))
            outcomes["shown"] += 1
        except ImageRejectedError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10


def test_placeholder(made: Maker) -> None:
    """The placeholder is a ThumbHash in base64, of at most 25 bytes."""
    assert 5 <= len(base64.b64decode(made(encoded(halves())).placeholder, validate=True)) <= 25
