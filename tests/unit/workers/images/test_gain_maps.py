"""Gain maps of Ultra HDR photos: kept in all JPEGs, with nothing else of the file, and readable by others."""

from __future__ import annotations

import io
import random
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import pyvips
from PIL import Image, ImageChops, ImageFilter, ImageStat
from PIL.MpoImagePlugin import MpoImageFile

from storage.blobs.variants import Variant, VariantRegistry
from tests.support.pictures import jpeg_segment, photograph
from tests.support.ultra_hdr import PIXEL, described, gain_image, iso, ultra_hdr
from workers.images import jpeg
from workers.images import ultra_hdr as written
from workers.images.decode import decode, make
from workers.images.gain_maps import GainMapNumbers, read_iso, write_iso
from workers.images.published import ForeignBytesError, check
from workers.images.rights import rights_packet
from workers.images.xmp import read_xmp

REGISTRY = VariantRegistry()
JPEGS = [variant for name in REGISTRY.names if (variant := REGISTRY.find(name)) is not None and variant.format == "jpg"]
# Of the slower formats one size.
ALL = [*JPEGS, *(Variant(side=320, square=False, format=name) for name in ("webp", "avif"))]
GREY = (0.0, 2.0, 1.0, 0.015625, 0.015625)
COLOURS = [(-0.1 * step, 2.0 + step, 1.0 + step, 0.01, 0.02) for step in range(3)]
NAMES = ("min-content-boost", "max-content-boost", "gamma", "offset-sdr", "offset-hdr")


def by_library(file: bytes) -> dict[str, Any]:
    """Return the gain map that libultrahdr finds in a JPEG: its numbers, and its image."""
    image = pyvips.Image.uhdrload_buffer(file)
    fields = {name.removeprefix("gainmap-"): image.get(name) for name in image.get_fields() if "gainmap" in name}
    gain: Image.Image = Image.open(io.BytesIO(fields.pop("data")))
    return {**fields, "image": gain}


def jpeg_behind(file: bytes) -> bytes:
    """Return the second image of a file."""
    return file[jpeg.read(file).end :]


def largest(data: bytes) -> bytes:
    """Return the JPEG of 1080 pixels."""
    return decode(data, JPEGS).variants["1080.jpg"]


SOURCES = {
    "XMP": [described(**PIXEL)],
    "ISO": [iso(GREY)],
    "both": [described(**PIXEL), iso(GREY)],
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_jpeg_has_the_gain_map(source: str) -> None:
    """All sizes of JPEG but the smallest have it, in fewer pixels, and may be published; other formats have none."""
    data = ultra_hdr(*SOURCES[source])
    assert decode(data).hdr
    for name, file in make(data, ALL)[0].items():
        format_ = name.rpartition(".")[2]
        check(file, format_)
        if format_ == "jpg" and name != "160.jpg":
            found = by_library(file)
            shown, gain = Image.open(io.BytesIO(file)).size, found["image"].size
            assert all(side / 9 < few <= side / 4 + 1 for side, few in zip(shown, gain, strict=True)), (name, gain)
            assert found["max-content-boost"] == pytest.approx([2 ** (2.5 if source == "XMP" else 2)] * 3)
            assert found["hdr-capacity-max"] == pytest.approx(2 ** (2.3 if source == "XMP" else 2))
        else:
            assert b"hdrgm" not in file
            assert b"urn:iso:std" not in file


# libultrahdr reads no lists in XMP, which Adobe's specification has for three channels.
@pytest.mark.parametrize(("kept", "mode"), [("XMP", "L"), ("ISO", "L"), ("ISO", "RGB")])
def test_each_description_suffices(kept: str, mode: str) -> None:
    """Readers of either description find the same numbers, of one channel and of three."""
    channels = COLOURS if mode == "RGB" else [GREY]
    file = largest(ultra_hdr(iso(*channels), gain=gain_image(mode=mode)))
    dropped = b"urn:iso:std" if kept == "XMP" else b"hdr-gain-map"
    assert dropped in file
    found = by_library(file.replace(dropped, b"x" * len(dropped)))
    expected = list(zip(*(channels if mode == "RGB" else channels * 3), strict=True))
    expected[:2] = [tuple(2**value for value in values) for values in expected[:2]]
    for name, values in zip(NAMES, expected, strict=True):
        assert found[name] == pytest.approx(values, rel=1e-4), name
    assert len(found["image"].getbands()) == len(mode)


def test_only_large_images_are_described_in_xmp() -> None:
    """Small ones have the description of ISO 21496-1 alone; the XMP leaves out numbers that are the usual ones."""
    files = decode(ultra_hdr(*SOURCES["both"]), JPEGS).variants
    assert {name for name in files if b"hdrgm" in files[name]} == {"1080.jpg", "1600.jpg", "2048.jpg"}
    for name in ("320.jpg", "1080.jpg"):
        assert by_library(files[name])["max-content-boost"] == pytest.approx([4.0] * 3)
    (attributes,) = re.findall(rb'hdr-gain-map/1.0/" ([^>]*)>', jpeg_behind(files["1080.jpg"]))
    assert attributes == b'hdrgm:Version="1.0" hdrgm:HDRCapacityMax="2" hdrgm:GainMapMax="2"'


@pytest.mark.parametrize("original", ["temple", "flower", "rocket", "cat"])
@pytest.mark.parametrize("coarseness", [1, 4])
def test_a_gain_map_takes_few_bytes_and_brightens_as_the_original(original: str, coarseness: int) -> None:
    """At most a twentieth of each image, even if it is as detailed, and a twentieth of a stop off on average."""
    photo = Image.open(photograph(original)).convert("RGB").resize((1600, 1067))
    # As those of phones: bright areas, and some of the detail.
    light = photo.convert("L")
    light = Image.blend(light.filter(ImageFilter.GaussianBlur(32)), light, 0.4)
    gain = light.resize((1600 // coarseness, 1067 // coarseness))
    with_map = make(ultra_hdr(*SOURCES["ISO"], photo=photo, gain=gain), JPEGS)[0]
    without = make(ultra_hdr(photo=photo), JPEGS)[0]
    assert with_map["160.jpg"] == without["160.jpg"]
    for name in with_map.keys() - {"160.jpg"}:
        # A gain map has no less than 500 bytes, which is more than a twentieth of an image of 9 KB.
        more = len(with_map[name]) - len(without[name])
        assert 0 < more <= max(500, 0.05 * len(without[name])), name
        size = Image.open(io.BytesIO(without[name])).size
        kept = by_library(with_map[name])["image"].convert("L").resize(size, Image.Resampling.BILINEAR)
        (error,) = ImageStat.Stat(ImageChops.difference(kept, gain.resize(size))).mean
        assert error / 255 * GREY[1] <= (0.05 if name == "320.jpg" else 0.04), name


def test_a_gain_map_is_as_coarse_as_in_the_original() -> None:
    """It gets no pixels that the original's has not, and whatever rights are named does not change it."""
    data = ultra_hdr(*SOURCES["both"], gain=gain_image((64, 43)), xmp=rights_packet({"creator": "Ann"}))
    plain, named = (make(data, JPEGS, rights=rights)[0] for rights in (False, True))
    for name, size in (("640.jpg", (64, 43)), ("320.jpg", (32, 21))):
        assert by_library(plain[name])["image"].size == size
        assert jpeg_behind(plain[name]) == jpeg_behind(named[name])


def test_a_square_has_the_middle_of_the_gain_map() -> None:
    """What is cut off the image is cut off its gain map."""
    gain, square = Image.new("L", (160, 107)), VariantRegistry(squares=(400,)).find("400.jpg")
    gain.paste(250, (0, 0, 22, 107))
    assert square is not None
    file = make(ultra_hdr(*SOURCES["both"], gain=gain), [square])[0]["400.jpg"]
    assert by_library(file)["image"].convert("L").getextrema()[1] < 64


def test_it_is_upright_and_cropped_like_the_image() -> None:
    """The bright quarter is where it is in the image, turned by the EXIF and cut to the square."""
    data = ultra_hdr(*SOURCES["both"], orientation=6)
    squares = VariantRegistry(squares=(400,)).find("400.jpg")
    assert squares is not None
    files = make(data, [*JPEGS, squares])[0]
    for name in ("1080.jpg", "400.jpg"):
        gain = by_library(files[name])["image"].convert("L")
        assert Image.open(io.BytesIO(files[name])).size == ((427, 640) if name == "1080.jpg" else (400, 400))
        corners = [(0.25, 0.2), (0.75, 0.2), (0.25, 0.8), (0.75, 0.8)]
        bright = [gain.getpixel((int(x * gain.width), int(y * gain.height))) > 128 for x, y in corners]
        assert bright == [False, True, False, False], name


def test_nothing_else_of_the_file_is_left() -> None:
    """Neither image has metadata of the original, and no byte of what is behind it."""
    for name, file in make(ultra_hdr(*SOURCES["both"]), ALL)[0].items():
        assert all(word not in file for word in (b"Exif", b"GPS", b"Optics", b"home", b"ftypmp42")), name


def test_rights_and_the_gain_map_share_one_packet() -> None:
    """With the creator in it the file is still an Ultra HDR JPEG, by either description; other rights are refused."""
    texts = {"creator": "Ann & Co", "rights": "© Ann"}
    data = ultra_hdr(*SOURCES["both"], xmp=rights_packet(texts))
    packet = rights_packet(texts)
    for name, file in make(data, ALL, rights=True)[0].items():
        check(file, name.rpartition(".")[2], packet)
        with pytest.raises(ForeignBytesError):
            check(file, name.rpartition(".")[2])
    file = decode(data, rights=True).variants["1080.jpg"]
    still = make(ultra_hdr(xmp=packet), ALL, rights=True)[0]["1080.jpg"]
    with pytest.raises(ForeignBytesError):
        check(still.replace(b"http://ns.adobe.com/xap/1.0/", b"home://ns.adobe.com/xap/1.0/"), "jpg", packet)
    assert file.count(written.XMP) == 2
    assert read_xmp(jpeg.read(file).xmp).creator == "Ann & Co"
    for dropped in (b"urn:iso:std", b"hdr-gain-map"):
        assert by_library(file.replace(dropped, b"x" * len(dropped)))["max-content-boost"] == pytest.approx([4.0] * 3)
    with pytest.raises(ForeignBytesError):
        check(file, "jpg", rights_packet({"creator": "Ben"}))


def test_the_image_is_what_it_is_without_a_gain_map() -> None:
    """The pixels of the first image are those of a photo that has no gain map."""
    with_map, without = largest(ultra_hdr(*SOURCES["both"])), largest(ultra_hdr())
    assert not decode(ultra_hdr()).hdr
    assert jpeg.read(with_map).file == jpeg.read(without).file
    assert len(with_map) < 1.2 * len(without)


def test_readers_of_several_pictures_find_the_gain_map() -> None:
    """The index of the file (MPF) leads to both images with their sizes."""
    # Pillow opens an Ultra HDR file without its index unless it is asked for that.
    image = MpoImageFile(io.BytesIO(largest(ultra_hdr(*SOURCES["both"]))))
    assert (image.n_frames, image.size) == (2, (640, 427))
    image.seek(1)
    image.load()
    assert image.size == Image.open(io.BytesIO(jpeg_behind(largest(ultra_hdr(*SOURCES["both"]))))).size


SERIES = "<hdrgm:{0}><rdf:Seq><rdf:li>{1}</rdf:li><rdf:li>{1}</rdf:li></rdf:Seq></hdrgm:{0}>"


@pytest.mark.parametrize(
    "segments",
    [
        [described(**PIXEL, BaseRenditionIsHDR="True")],
        [described(HDRCapacityMax="2")],
        [described(GainMapMax="2")],
        [described(**{**PIXEL, "GainMapMax": "bright"})],
        [described(**{**PIXEL, "GainMapMax": "nan"})],
        [described(**{**PIXEL, "GainMapMax": "1e300"})],
        [described(**{**PIXEL, "GainMapMax": "-1"})],
        [described(**{**PIXEL, "HDRCapacityMax": "0"})],
        [described(**{**PIXEL, "Gamma": "0"})],
        [described(SERIES.format("Gamma", 1), **PIXEL)],
        [iso(GREY, flags=0x04)],
        [iso((0, 99, 1, 0, 0))],
        [jpeg_segment(0xE2, iso(GREY)[4:-1])],
        [jpeg_segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\1" + bytes(60))],
        [jpeg_segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(60))],
    ],
)
def test_a_gain_map_that_cannot_be_applied_is_left_out(segments: Sequence[bytes]) -> None:
    """Numbers that are missing, absurd or of the other direction make an ordinary photo."""
    decoded = decode(ultra_hdr(*segments), JPEGS)
    assert not decoded.hdr
    assert b"hdrgm" not in decoded.variants["1080.jpg"]


@pytest.mark.parametrize(
    "gain", [Image.new("L", (107, 160)), Image.new("L", (641, 428)), Image.new("CMYK", (160, 107))]
)
def test_an_image_of_another_shape_is_no_gain_map(gain: Image.Image) -> None:
    """A second image of another aspect, with more pixels, or in other colours is none."""
    assert not decode(ultra_hdr(*SOURCES["both"], gain=gain), JPEGS).hdr


def test_damage_behind_the_first_image_leaves_the_image() -> None:
    """Wherever the file is cut behind its first image, or damaged there, the photo is shown."""
    data = ultra_hdr(*SOURCES["both"])
    end = jpeg.read(data).end
    rng = random.Random(11)
    hdr = 0
    for _ in range(60):
        altered = bytearray(data[: rng.choice([len(data), rng.randrange(end, len(data))])])
        if len(altered) > end:
            altered[rng.randrange(end, len(altered))] = rng.randrange(256)
        decoded = decode(bytes(altered), JPEGS[:2])
        hdr += decoded.hdr
        assert (decoded.width, decoded.height) == (640, 427)
        for name, file in decoded.variants.items():
            check(file, name.rpartition(".")[2])
    assert 0 < hdr < 60


def test_fractions_of_a_common_denominator() -> None:
    """The short form of ISO 21496-1 has one denominator."""
    body = struct.pack(">HHBIII", 0, 0, 0x48, 1000, 0, 2000) + struct.pack(">iiIii", 0, 2000, 1000, 15, 15)
    numbers = read_iso(body)
    assert numbers is not None
    assert (numbers.maximum, numbers.capacity_max, numbers.offset_sdr) == ((2_000_000,), 2_000_000, (15_000,))
    assert read_iso(write_iso(numbers)) == numbers


def published() -> bytes:
    """Return a JPEG with a gain map that may be published."""
    file = largest(ultra_hdr(*SOURCES["both"]))
    check(file, "jpg")
    return file


def with_segment(file: bytes, at: int) -> bytes:
    """Return a JPEG with another segment of XMP at a position."""
    return file[:at] + jpeg_segment(0xE1, written.XMP + b"<home/>") + file[at:]


def without_segment(file: bytes, at: int) -> bytes:
    """Return a JPEG without the segment at a position."""
    return file[:at] + file[at + 2 + int.from_bytes(file[at + 2 : at + 4], "big") :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "bytes at the end": lambda file: file + b"\0",
    "a third image": lambda file: file + photograph().read_bytes(),
    "another text in the first XMP": lambda file: file.replace(b'Semantic="Primary"', b'Semantic="Zrimary"'),
    "another number in the XMP": lambda file: file.replace(b'GainMapMax="2"', b'GainMapMax="3"'),
    "another number in ISO": lambda file: file.replace(struct.pack(">II", 2_000_000, 1_000_000), bytes(7) + b"\1", 1),
    "another version in the MPF": lambda file: file.replace(b"0100", b"home"),
    "no XMP in the gain map": lambda file: without_segment(file, file.rindex(b"\xff\xd8\xff\xe0") + 20),
    "no XMP in the first image": lambda file: without_segment(file, 20),
    "XMP in the first image": lambda file: with_segment(file, 20),
    "XMP in the gain map": lambda file: with_segment(file, file.rindex(b"\xff\xd8\xff\xe0") + 20),
    "no gain map": lambda file: file[: file.rindex(b"\xff\xd8\xff\xe0")],
    "another image instead": lambda file: file[: file.rindex(b"\xff\xd8\xff\xe0")] + jpeg.read(file).file,
}


@pytest.mark.parametrize("change", CHANGES)
def test_anything_but_the_gain_map_is_refused(change: str) -> None:
    """All bytes besides pixels follow from the numbers; whatever else is there is not published."""
    file = published()
    changed = CHANGES[change](file)
    assert changed != file
    with pytest.raises(ForeignBytesError):
        check(changed, "jpg")


def test_numbers_survive_their_own_form() -> None:
    """What is written is read again as the same numbers."""
    numbers = GainMapNumbers(
        minimum=(-5, 0, 1),
        maximum=(2_000_000, 3, 4),
        gamma=(1, 2, 3),
        offset_sdr=(-9, 0, 9),
        offset_hdr=(0, 0, 0),
        capacity_min=1,
        capacity_max=16_000_000,
        base_colours=False,
    )
    assert read_iso(write_iso(numbers)) == numbers
