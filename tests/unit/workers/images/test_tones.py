"""The colours of variants: those that libvips and Chromium show, without a byte of the upload's profile."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import pytest
from PIL import Image, ImageCms

from tests.support.pictures import case, encoded, halves, png_chunk, png_with, raw_png
from workers.images import profiles
from workers.images.decode import decode
from workers.images.profiles import Curve

LINEAR = profiles.gamma_curve(1.0)
WHITE = (255, 255, 255)


def shown(data: bytes, at: tuple[int, int] = (5, 5)) -> tuple[int, int, int]:
    """Return a pixel of the feed variant as a browser shows it, in sRGB."""
    image: Image.Image = Image.open(io.BytesIO(decode(data).variants["1080.jpg"]))
    if profile := image.info.get("icc_profile"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    pixel = image.convert("RGB").getpixel(at)
    assert isinstance(pixel, tuple)
    return pixel[0], pixel[1], pixel[2]


def near(colour: Sequence[float], expected: Sequence[float], tolerance: float = 3) -> bool:
    """Return whether two colours are close: JPEG is not exact."""
    return all(abs(a - b) <= tolerance for a, b in zip(colour, expected, strict=True))


def profile_of(curve: Curve, primaries: Sequence[float] = profiles.BT709, name: str = "someone's display") -> bytes:
    """Return a profile of a user."""
    profile = profiles.from_primaries(primaries, curve, name=name)
    assert profile is not None
    return profile


def plain(colour: Sequence[int], *chunks: bytes) -> bytes:
    """Return a PNG of one colour with chunks."""
    row = bytes(colour) * 32
    return png_with(raw_png(32, 32, depth=8, colour=2 if len(colour) == 3 else 0, row=row), *chunks)


def iccp(profile: bytes) -> bytes:
    """Return a chunk with a profile."""
    return png_chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))


def gama(value: int) -> bytes:
    """Return a chunk with the exponent of the encoder in units of 1/100,000."""
    return png_chunk(b"gAMA", struct.pack(">I", value))


def chrm(values: Sequence[float]) -> bytes:
    """Return a chunk with chromaticities."""
    return png_chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * value) for value in values)))


def cicp(*code_points: int) -> bytes:
    """Return a chunk with code points."""
    return png_chunk(b"cICP", bytes(code_points))


SRGB = png_chunk(b"sRGB", b"\0")


def test_grey_with_alpha_is_converted_before_it_is_flattened() -> None:
    """The case: mid-grey of a linear profile is 188."""
    assert near(shown(case("grayalpha_profile.png"), (200, 150)), (188, 188, 188), 2)


@pytest.mark.parametrize("alpha", [255, 128, 0])
def test_a_blend_is_of_colours_as_they_are_shown(alpha: int) -> None:
    """A half transparent pixel lies in the middle between its colour in sRGB and white."""
    image = Image.new("RGBA", (32, 32), (128, 128, 128, alpha))
    level = 188 + round((255 - 188) * (255 - alpha) / 255)
    data = encoded(image, "PNG", icc_profile=profile_of(LINEAR))
    assert near(shown(data), (level, level, level))


def key_png(depth: int, pixels: Sequence[Sequence[int]], key: Sequence[int]) -> bytes:
    """Return a PNG with a transparent colour; each of the pixels is a square 8 pixels wide."""
    bits = "".join(f"{sample:0{depth}b}" for pixel in pixels for _ in range(8) for sample in pixel)
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    colour = 2 if len(key) == 3 else 0
    data = raw_png(8 * len(pixels), 8, depth=depth, colour=colour, row=row)
    return png_with(data, png_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)))


def test_grey_of_16_bits_with_a_transparent_colour() -> None:
    """The case: the colour key is black, and so is the image."""
    assert shown(case("gray16_trns.png")) == WHITE


@pytest.mark.parametrize(
    ("depth", "key", "other"),
    [
        (16, [0x1234], [0x1235]),
        (16, [0x1234], [0x1334]),
        (16, [0x12, 0x34, 0x5678], [0x12, 0x34, 0x5679]),
        (16, [0x12, 0x34, 0x5678], [0x112, 0x34, 0x5678]),
        (8, [0x20], [0x21]),
        (8, [0x20, 0x10, 0], [0x20, 0x10, 1]),
        (4, [3], [2]),
        (2, [1], [0]),
        (1, [0], [0]),
        (1, [1], [0]),
        (8, [0x120], [0x21]),  # only the low bits count
    ],
)
def test_only_the_transparent_colour_is_transparent(depth: int, key: Sequence[int], other: Sequence[int]) -> None:
    """The transparent colour is compared with all bits that the samples have."""
    here = [value & ((1 << depth) - 1) for value in key]
    data = key_png(depth, [here] * 4 + [other] * 4, key)
    assert near(shown(data, (8, 4)), WHITE)
    expected = [value * 255 // ((1 << depth) - 1) for value in (other if len(other) == 3 else list(other) * 3)]
    if other != here:
        assert near(shown(data, (56, 4)), expected, 4)


def test_a_gamma_is_applied() -> None:
    """The case: an image of linear light."""
    assert near(shown(case("gama1.png"), (5, 5)), shown(plain_of_case()), 2)


def plain_of_case() -> bytes:
    """Return the first pixel of the case as a PNG with the same curve as a profile."""
    with Image.open(io.BytesIO(case("gama1.png"))) as image:
        pixel = image.getpixel((5, 5))
    assert isinstance(pixel, tuple)
    return plain(pixel, iccp(profile_of(LINEAR)))


def test_the_order_of_colour_chunks() -> None:
    """CICP goes before iCCP, that before sRGB, and that before gAMA and cHRM."""
    grey = (128, 128, 128)
    power = profile_of(profiles.gamma_curve(1.8))
    assert near(shown(plain(grey)), grey)
    assert near(shown(plain(grey, gama(100_000))), (188, 188, 188))
    assert near(shown(plain(grey, SRGB, gama(100_000))), grey)
    by_profile = shown(plain(grey, iccp(power)))
    assert near(shown(plain(grey, iccp(power), SRGB, gama(100_000))), by_profile)
    assert not near(by_profile, grey, 6)
    assert near(shown(plain(grey, cicp(1, 8, 0, 1), iccp(power), SRGB)), (188, 188, 188))
    assert near(shown(plain(grey, cicp(2, 2, 0, 1), iccp(power), SRGB)), by_profile)
    assert near(shown(plain(grey, iccp(b"no profile" * 20), gama(100_000))), (188, 188, 188))


def test_chromaticities_are_applied() -> None:
    """Primaries of a wider colour space give more saturated colours, and an impossible set is ignored."""
    colour = (200, 60, 30)
    p3 = shown(plain(colour, iccp(profiles.display_p3())))
    assert near(shown(plain(colour, cicp(12, 13, 0, 1))), p3)
    assert near(shown(plain(colour, gama(45_455), chrm(profiles.P3))), p3, 8)  # another curve
    assert not near(p3, colour, 20)
    assert near(shown(plain(colour, gama(100_000), chrm([0.0] * 8))), colour)


def test_grey_has_the_gamma_too() -> None:
    """A grey image with a gamma is converted."""
    assert near(shown(plain((128,), gama(100_000))), (188, 188, 188))


def test_no_text_of_a_profile_is_served() -> None:
    """The case: the profile of a display, with its name and serial number."""
    decoded = decode(case("icc_secret.jpg"))
    profile = Image.open(io.BytesIO(case("icc_secret.jpg"))).info["icc_profile"]
    for data in decoded.variants.values():
        assert shared_text(profile, data) == set()


def shared_text(profile: bytes, data: bytes) -> set[bytes]:
    """Return the texts of a profile, in one or two bytes for a character, that occur in other data."""
    texts = set()
    for width in (1, 2):
        for phase in range(width):
            letters = "".join(
                chr(profile[at + width - 1]) if not any(profile[at : at + width - 1]) else "\0"
                for at in range(phase, len(profile) - width, width)
            )
            for word in "".join(
                letter if letter.isprintable() and letter.isascii() else "\0" for letter in letters
            ).split("\0"):
                if len(word) >= 8:
                    texts |= {word.encode(), word.encode("utf-16-be")}
    return {text for text in texts if text in data}


@pytest.mark.parametrize(
    ("primaries", "curve", "kept"),
    [
        (profiles.P3, profiles.SRGB_CURVE, profiles.display_p3()),
        (profiles.ADOBE, profiles.gamma_curve(563 / 256), profiles.adobe_rgb()),
        (profiles.BT709, profiles.SRGB_CURVE, None),
        (profiles.BT709, profiles.gamma_curve(1.8), None),
        ((0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046), profiles.gamma_curve(2.4), None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_wide_colour_spaces_are_kept_with_a_profile_of_our_own(
    primaries: Sequence[float], curve: Curve, kept: bytes | None, kind: str
) -> None:
    """Display P3 and Adobe RGB are recognised by their colours; every other space is converted to sRGB."""
    profile = profile_of(curve, primaries)
    data = encoded(halves(), kind, icc_profile=profile)
    decoded = decode(data)
    for variant in decoded.variants.values():
        assert Image.open(io.BytesIO(variant)).info.get("icc_profile") == kept
        assert b"someone" not in variant
        assert "someone".encode("utf-16-be") not in variant


def test_display_p3_of_other_programs_is_kept() -> None:
    """That of libvips and Sharp has colorants without negative values, which changes blue by 4 levels in pure red."""
    kept = profiles.display_p3()
    rounded = kept.replace(struct.pack(">i", -69), bytes(4))
    assert rounded != kept
    for variant in decode(encoded(halves(), icc_profile=rounded)).variants.values():
        assert Image.open(io.BytesIO(variant)).info["icc_profile"] == kept


@pytest.mark.parametrize("curve", [profiles.gamma_curve(2.2), profiles.gamma_curve(2.6)])
def test_other_curves_are_not_those_of_display_p3(curve: Curve) -> None:
    """Its primaries alone do not count: the shadows would be too bright or too dark."""
    data = encoded(halves(), icc_profile=profile_of(curve, profiles.P3))
    assert all("icc_profile" not in Image.open(io.BytesIO(file)).info for file in decode(data).variants.values())


def test_a_large_profile_is_used_and_not_kept() -> None:
    """The case, and a valid profile of 2 MB: the image is accepted, and the variants stay small."""
    assert len(decode(case("iccp_2mb.png")).variants["1080.jpg"]) < 50_000
    profile = profile_of(LINEAR)
    padded = struct.pack(">I", 2_000_000) + profile[4:] + bytes(2_000_000 - len(profile))
    for data in (
        plain((128, 128, 128), iccp(padded)),
        encoded(Image.new("RGB", (32, 32), (128,) * 3), icc_profile=padded),
    ):
        assert near(shown(data), (188, 188, 188))
        assert len(decode(data).variants["1080.jpg"]) < 2_000


def test_a_grey_jpeg_with_a_profile_of_colours() -> None:
    """A grey JPEG may have an RGB profile; its grey is converted by that."""
    data = encoded(Image.new("L", (32, 32), 128), icc_profile=profile_of(LINEAR))
    assert near(shown(data), (188, 188, 188))


@pytest.mark.parametrize(
    ("profile", "colorants"),
    [
        (profiles.srgb(), [(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139)]),
        (profiles.display_p3(), [(0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)]),
        (profiles.adobe_rgb(), [(0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)]),
    ],
)
def test_our_profiles_have_the_published_matrices(profile: bytes, colorants: Sequence[Sequence[float]]) -> None:
    """The matrices under D50 are those that the colour spaces are published with."""
    parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    for found, expected in zip(
        (parsed.red_colorant, parsed.green_colorant, parsed.blue_colorant), colorants, strict=True
    ):
        assert found is not None
        assert near(found[0], expected, 0.0005)


# Greys of 0, 30, … 240 as Chromium 156 shows them.
AS_CHROMIUM = [
    ([cicp(1, 1, 0, 1)], [0, 18, 49, 81, 113, 144, 176, 208, 239]),
    ([cicp(1, 4, 0, 1)], [0, 24, 57, 90, 121, 151, 181, 211, 240]),
    ([cicp(1, 5, 0, 1)], [0, 8, 36, 66, 98, 131, 165, 200, 237]),
    ([cicp(1, 8, 0, 1)], [0, 96, 133, 160, 183, 202, 219, 234, 248]),
    ([cicp(9, 16, 0, 1)], [0, 4, 26, 61, 114, 193, 242, 255, 255]),
    ([cicp(1, 17, 0, 1)], [0, 13, 44, 76, 109, 143, 177, 212, 247]),
    ([cicp(9, 18, 0, 1)], [0, 13, 39, 66, 92, 122, 166, 214, 243]),
    ([cicp(12, 13, 0, 0)], [0, 30, 60, 90, 120, 150, 180, 210, 240]),
    ([gama(45_455)], [0, 30, 60, 90, 120, 150, 180, 210, 240]),
    ([gama(47_700)], [0, 30, 60, 90, 120, 150, 180, 210, 240]),
    ([gama(55_556)], [0, 40, 77, 109, 139, 167, 193, 219, 243]),
    ([gama(38_462)], [0, 12, 42, 73, 105, 137, 170, 204, 238]),
    ([gama(0)], [0, 30, 60, 90, 120, 150, 180, 210, 240]),
    ([gama(1)], [0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ([gama(45_455), chrm(profiles.P3)], [0, 24, 57, 90, 121, 151, 181, 211, 240]),
    ([chrm(profiles.P3)], [0, 30, 60, 90, 120, 150, 180, 210, 240]),
    ([gama(100_000), chrm([0.0] * 8)], [0, 30, 60, 90, 120, 150, 180, 210, 240]),
]


@pytest.mark.parametrize(("chunks", "greys"), AS_CHROMIUM)
@pytest.mark.parametrize("colour", [0, 2])
def test_greys_are_those_that_chromium_shows(chunks: Sequence[bytes], greys: Sequence[int], colour: int) -> None:
    """Every curve gives the greys of the browser."""
    levels = range(0, 241, 30)
    row = b"".join(bytes([level]) * (16 if colour == 0 else 48) for level in levels)
    data = png_with(raw_png(16 * len(levels), 16, depth=8, colour=colour, row=row), *chunks)
    assert near([shown(data, (8 + 16 * index, 8))[0] for index in range(len(levels))], greys)


# The colour (30, 200, 60) as Chromium 156 shows it with other primaries and the curve of sRGB.
@pytest.mark.parametrize(("primaries", "expected"), [(6, (57, 197, 58)), (12, (0, 204, 13)), (22, (0, 196, 60))])
def test_colours_are_those_that_chromium_shows(primaries: int, expected: Sequence[int]) -> None:
    """Every set of primaries gives the colours of the browser."""
    assert near(shown(plain((30, 200, 60), cicp(primaries, 13, 0, 1))), expected)
