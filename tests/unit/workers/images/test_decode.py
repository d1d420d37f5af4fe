"""What pictures become, and which are refused."""

from __future__ import annotations

import base64
import io
import json
import random

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from storage.blobs.variants import Variant, VariantRegistry, fitting
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
from workers.images.decode import Decoded, ImageRejectedError, decode, make

FORMATS = {"jpg": "JPEG", "webp": "WEBP", "avif": "AVIF"}


def variant(decoded: Decoded, name: str = "1080.jpg") -> Image.Image:
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
        (4080, 3072, 2048, (2040, 1536)),
        (3023, 4031, 2048, (1512, 2016)),
        (3994, 2000, 2048, (1997, 1000)),
        (3992, 2000, 2048, (2048, 1026)),
        (8160, 6144, 2048, (2040, 1536)),
        (2560, 1920, 320, (320, 240)),
        (2576, 1920, 320, (320, 239)),
    ],
)
def test_fitting(width: int, height: int, side: int, expected: tuple[int, int]) -> None:
    """A variant keeps the aspect, is never enlarged and has at least one pixel a side.

    Half, a quarter or an eighth of the image is taken for up to 2.5 % more.
    """
    assert fitting(width, height, side) == expected


@pytest.mark.parametrize("size", [(4300, 3225), (3023, 4031), (1680, 1260)])
def test_variants_have_the_sizes_that_are_listed(size: tuple[int, int]) -> None:
    """However the variants are made of each other, each has the pixels that the registry says; none is enlarged."""
    registry = VariantRegistry(squares=(160,), sizes=(320, 512, 1020, 2048), formats=("jpg",), eager=())
    listed = registry.shown(*size)
    found = decode(
        encoded(halves(*size)), [Variant(side=side, square=side == 160, format="jpg") for side in listed]
    ).variants
    assert {name: Image.open(io.BytesIO(file)).size for name, file in found.items()} == {
        f"{side}.jpg": pixels for side, pixels in listed.items()
    }


def test_too_many_passes_are_rejected() -> None:
    """A progressive JPEG of thousands of passes is rejected before they are decoded.

    An ordinary one is not, whatever its comment says and whatever lies behind its end.
    """
    data = encoded(halves(), progressive=True, comment=b"\xff\xda" * 1000)
    start = data.rindex(b"\xff\xda")
    decode(data + b"\xff\xda\x00\x02" * 1000)
    with pytest.raises(ImageRejectedError, match="passes"):
        decode(data[:-2] + data[start:-2] * 1000 + data[-2:])


def test_photograph() -> None:
    """A photograph becomes JPEG (baseline) and WebP variants of its aspect that are smaller than itself."""
    decoded = decode(photograph("rocket").read_bytes())
    assert (decoded.width, decoded.height) == (640, 427)
    assert [variant(decoded, name).size for name in ("1080.jpg", "320.jpg")] == [(640, 427), (320, 214)]
    for name, data in decoded.variants.items():
        image = variant(decoded, name)
        assert image.format == ("WEBP" if name.endswith("webp") else "JPEG")
        assert image.info.get("progressive") is None
        assert len(data) < photograph("rocket").stat().st_size


def test_large_is_shrunk() -> None:
    """The longest sides of a large photo's variants are 1080 and 320, and its own size is reported."""
    decoded = decode(encoded(halves(2400, 1600)))
    assert (decoded.width, decoded.height) == (2400, 1600)
    assert [variant(decoded, name).size for name in ("1080.jpg", "320.jpg")] == [(1080, 720), (320, 213)]
    assert near(variant(decoded).getpixel((100, 300)), RED)


def test_other_variants_are_made_alone() -> None:
    """Any variants can be made of an original, each in its format, upright and of its size; squares show the middle."""
    stripes = Image.new("RGB", (300, 900), BLUE)
    stripes.paste(RED, (0, 300, 300, 600))
    wanted = [Variant(side=side, square=side == 160, format=name) for side in (640, 160, 1600) for name in FORMATS]
    made, _ = make(encoded(stripes, exif=exif_with_gps(6)), wanted)
    images = {name: Image.open(io.BytesIO(data)) for name, data in made.items()}
    sizes = {640: (640, 213), 160: (160, 160), 1600: (900, 300)}
    assert {name: image.size for name, image in images.items()} == {
        f"{side}.{name}": size for side, size in sizes.items() for name in FORMATS
    }
    assert all(image.format == FORMATS[name.partition(".")[2]] for name, image in images.items())
    for name in FORMATS:
        square = images[f"160.{name}"].convert("RGB")
        assert all(near(square.getpixel(at), RED) for at in ((8, 80), (80, 80), (152, 80)))


@pytest.mark.parametrize("size", [(100, 40), (40, 100), (3000, 20), (1, 1)])
def test_the_sizes_are_those_of_the_registry(size: tuple[int, int]) -> None:
    """Every variant has the size that the API reports for it, whatever the shape of the original."""
    registry = VariantRegistry(formats=("jpg",), eager=())
    wanted = [found for side in (160, *registry.sizes) if (found := registry.find(f"{side}.jpg")) is not None]
    made, _ = make(encoded(halves(*size)), wanted)
    for one in wanted:
        assert Image.open(io.BytesIO(made[one.name])).size == one.size_of(*size)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied(orientation: int) -> None:
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
    decoded = decode(encoded(stored, exif=exif_with_gps(orientation), quality=95, subsampling=0))
    shown = variant(decoded)
    assert (decoded.width, decoded.height) == shown.size == (64, 40)
    assert near(shown.getpixel((5, 4)), (250, 250, 250), 30)
    assert near(shown.getpixel((5, 35)), RED, 40)
    assert near(shown.getpixel((60, 4)), BLUE, 40)
    assert decoded.placeholder == decode(encoded(upright, quality=95, subsampling=0)).placeholder


@pytest.mark.parametrize("name", FORMATS)
def test_no_metadata_remains_in_any_format(name: str) -> None:
    """No format carries EXIF, GPS, XMP or a comment."""
    (data,) = make(jpeg_with_metadata(), [Variant(side=320, square=False, format=name)])[0].values()
    image = Image.open(io.BytesIO(data))
    assert not image.getexif()
    assert not image.info.keys() & {"exif", "xmp", "comment", "icc_profile"}
    assert not any(word in data for word in (b"Optics", b"Exif\0\0", b"EXIF", b"GPS", b"xmpmeta"))


def test_no_metadata_remains() -> None:
    """No variant carries EXIF, GPS, XMP, a comment, a profile of sRGB or foreign bytes."""
    decoded = decode(jpeg_with_metadata())
    for name, data in decoded.variants.items():
        image = variant(decoded, name)
        assert len(image.getexif()) == 0
        # Pillow reports some for every WebP: the background, the loops and the time of an animation, which it is not.
        assert set(image.info) <= {
            "JPEG": {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"},
            "WEBP": {"background", "loop", "timestamp", "duration"},
        }.get(str(image.format), set())
        for word in (b"Exif", b"GPS", b"Optics", b"xmp", b"home", b"<html", b"script", b"PK\x03\x04", b"2026"):
            assert word not in data


def test_no_png_metadata_remains() -> None:
    """A PNG's texts and its EXIF behind the pixels are stripped too."""
    decoded = decode(encoded(halves(), "PNG", exif=exif_with_gps()))
    assert decoded.exif["Make"] == "PicShare Optics"
    assert all(b"Optics" not in data for data in decoded.variants.values())


def test_owner_reads_exif() -> None:
    """The EXIF for the owner has camera, time and place, as JSON that PostgreSQL accepts."""
    exif = decode(jpeg_with_metadata(6)).exif
    assert exif["Make"] == "PicShare Optics"
    assert exif["Model"] == "One"
    assert exif["DateTimeOriginal"] == "2026:11:20 10:00:00"
    assert exif["location"] == {"latitude": 52.508472, "longitude": 13.37}
    assert not [name for name in exif if name.startswith("GPS")]
    assert "MakerNote" not in exif
    assert "\\u0000" not in json.dumps(exif, allow_nan=False)


def test_exif_is_bounded() -> None:
    """Very large EXIF becomes a small map."""
    exif = Image.Exif()
    for tag in (0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        exif[tag] = "x" * 5000
    exif[0x8769] = {0x9003: "\x00\x1b", 0x829A: IFDRational(0, 0), 0x927C: b"\xff" * 9000}
    plain = decode(encoded(halves(), exif=exif)).exif
    assert plain.keys() >= {"Make", "Model", "Software"}
    assert len(json.dumps(plain, allow_nan=False)) < 7 * 300


def test_broken_exif() -> None:
    """A photo with broken EXIF loses only its EXIF."""
    decoded = decode(encoded(halves(), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 40))
    assert decoded.exif == {}
    assert variant(decoded).size == (60, 40)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_png_modes(mode: str) -> None:
    """Every kind of PNG is shown with its left side lighter or redder as it was."""
    if mode == "I;16":
        image = Image.new("I;16", (60, 40), 200 * 257)
        image.paste(40 * 257, (30, 0, 60, 40))
    else:
        image = halves(mode="RGB" if mode == "1" else mode) if mode != "1" else two_tone()
    decoded = decode(encoded(image, "PNG"))
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


def test_cmyk() -> None:
    """A CMYK photo is shown in its colours, as RGB."""
    shown = variant(decode(encoded(halves(mode="CMYK"))))
    assert shown.mode == "RGB"
    assert near(shown.getpixel((10, 20)), RED, 40)


def test_transparency_is_white() -> None:
    """Transparent pixels become white, even where their colour is black, and the edge has no dark fringe."""
    image = Image.new("RGBA", (2000, 1000), (0, 0, 0, 0))
    image.paste((220, 30, 30, 255), (0, 0, 1000, 1000))
    shown = variant(decode(encoded(image, "PNG")))
    assert near(shown.getpixel((1000, 250)), (255, 255, 255))
    edge = [shown.getpixel((x, 250)) for x in range(530, 550)]
    assert all(isinstance(pixel, tuple) and pixel[0] > 190 for pixel in edge)


def test_palette_transparency() -> None:
    """A palette's transparent colour becomes white."""
    image = Image.new("P", (40, 40), 0)
    image.putpalette([0, 0, 0, 220, 30, 30])
    image.paste(1, (0, 0, 20, 40))
    shown = variant(decode(encoded(image, "PNG", transparency=0)))
    assert near(shown.getpixel((35, 20)), (255, 255, 255))
    assert near(shown.getpixel((5, 20)), RED)


def test_an_invalid_profile_is_dropped() -> None:
    """A colour profile that is invalid, or of another colour space, is dropped."""
    for profile in (b"<html>not a profile</html>" * 10, b"\x00" * 16 + b"CMYK" + b"<html>" * 30):
        decoded = decode(encoded(halves(), icc_profile=profile))
        assert "icc_profile" not in variant(decoded).info
        assert b"<html>" not in decoded.variants["1080.jpg"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a picture of the types JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture of the types"),
        (b"%PDF-1.7", "not a picture of the types"),
        (encoded(halves(), "TIFF"), "not a picture of the types"),
        (photograph("cat").read_bytes()[:20_000], "damaged or cut off"),
        (photograph("cat").read_bytes()[:200], "ends within its header|cut off"),
        (encoded(halves(400, 400), "PNG")[:-60], "damaged or cut off"),
        (png_of(10_000, 6_711), r"10000 × 6711 pixels"),
        (png_of(100_000, 100_000), "pixels"),
        (png_of(70_000, 10), "70000 × 10 pixels, more than 65,500 on one side"),
    ],
)
def test_rejected(data: bytes, reason: str) -> None:
    """A file that cannot be shown is rejected with a reason for the user."""
    with pytest.raises(ImageRejectedError, match=reason):
        decode(data)


def test_damaged_files_are_decoded_or_rejected() -> None:
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
            decode(bytes(data))
            outcomes["shown"] += 1
        except ImageRejectedError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10


def test_placeholder() -> None:
    """The placeholder is a ThumbHash in base64, of at most 25 bytes."""
    assert 5 <= len(base64.b64decode(decode(encoded(halves())).placeholder, validate=True)) <= 25
