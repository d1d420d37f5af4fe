"""WebP, AVIF, GIF and HEIC, and animations: accepted, upright, in their colours, and within limits."""

from __future__ import annotations

import io
import random
import struct
import time
from collections.abc import Callable, Sequence

import pytest
from PIL import Image, ImageCms

from server.media.image_header import BadImageError, NotAnImageError, UnsupportedImageError, read_header
from tests.support.pictures import (
    BLUE,
    RED,
    case,
    encoded,
    exif_with_gps,
    halves,
    photograph,
    png_chunk,
    png_with,
)
from workers.images import formats, gif, profiles, webp
from workers.images.decode import Decoded, ImageRejectedError, decode
from workers.images.limits import MAX_PIXELS
from workers.images.structure import AVIF, GIF, HEIC, JPEG, PNG, WEBP, ImageHeader, StructureError

WHITE = (255, 255, 255)
CORNER = (250, 250, 250)
KINDS = {"JPEG": JPEG, "PNG": PNG, "WEBP": WEBP, "AVIF": AVIF, "GIF": GIF}


def shown(decoded: Decoded) -> Image.Image:
    """Return the largest JPEG variant as a browser shows it, in sRGB."""
    data = max((file for file in decoded.variants.values() if file.startswith(b"\xff\xd8")), key=len)
    image: Image.Image = Image.open(io.BytesIO(data))
    if profile := image.info.get("icc_profile"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    return image.convert("RGB")


def near(colour: object, expected: Sequence[int], tolerance: int = 30) -> bool:
    """Return whether a pixel is close to a colour."""
    return isinstance(colour, tuple) and all(abs(a - b) <= tolerance for a, b in zip(colour, expected, strict=True))


def with_corner(width: int = 64, height: int = 48) -> Image.Image:
    """Return an image of two halves with a white corner, which shows whether it is upright and not mirrored."""
    image = halves(width, height)
    image.paste(CORNER, (0, 0, 16, 12))
    return image


def is_upright(decoded: Decoded) -> bool:
    """Return whether a decoded image is that of `with_corner`."""
    image = shown(decoded)
    expected = {(4, 3): CORNER, (8, 40): RED, (56, 6): BLUE, (56, 40): BLUE}
    size_is_right = (decoded.width, decoded.height) == image.size == (64, 48)
    return size_is_right and all(near(image.getpixel(at), colour, 40) for at, colour in expected.items())


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_accepted(kind: str) -> None:
    """The API reads the type and size of each format, and the decoder shows it."""
    data = encoded(with_corner(), kind)
    assert read_header(io.BytesIO(data)) == ImageHeader(KINDS[kind], 64, 48)
    assert is_upright(decode(data))


def test_heic_is_accepted() -> None:
    """A HEIC is read and shown; its pixels are stored in blocks that are larger than the image."""
    header = read_header(io.BytesIO(case("plain.heic")))
    assert (header.content_type, header.width, header.height, header.pixels) == (HEIC, 64, 48, 64 * 64)
    assert is_upright(decode(case("plain.heic")))


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 30}, {"exact": True, "lossless": True}])
def test_kinds_of_webp(options: dict[str, object]) -> None:
    """Lossy and lossless WebP are accepted, with and without the extended header."""
    assert is_upright(decode(encoded(with_corner(), "WEBP", **options)))
    assert is_upright(decode(encoded(with_corner(), "WEBP", exif=exif_with_gps(), **options)))


def test_a_heic_that_says_its_rotation_twice_is_rotated_once() -> None:
    """Phones write a rotation into the image's properties and its EXIF; the properties count."""
    decoded = decode(case("rotated.heic"))
    assert decoded.exif["Orientation"] == 6
    assert is_upright(decoded)


UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(kind: str, orientation: int) -> None:
    """A WebP is rotated by its EXIF, an AVIF by its properties, also if its EXIF has no orientation."""
    stored = with_corner().transpose(UNDO[orientation]) if orientation in UNDO else with_corner()
    assert is_upright(decode(encoded(stored, kind, exif=exif_with_gps(orientation), quality=90)))


@pytest.mark.parametrize("angle", range(4))
@pytest.mark.parametrize("axis", range(2))
def test_an_avif_is_rotated_and_then_mirrored(angle: int, axis: int) -> None:
    """The properties of an AVIF are a number of quarter turns anticlockwise, and then an axis."""
    mirror = (Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT)[axis]
    stored = with_corner().transpose(mirror).rotate(-90 * angle, expand=True)
    data = encoded(stored, "AVIF", exif=exif_with_gps(5), quality=90)  # has both properties
    for kind, value in ((b"irot", angle), (b"imir", axis)):
        at = data.index(kind) + 4
        data = data[:at] + bytes([value]) + data[at + 1 :]
    assert is_upright(decode(data))


def test_an_avif_is_cropped() -> None:
    """Of an AVIF with a clean aperture only that is shown, and the limit counts the pixels around it, too."""
    image = Image.new("RGB", (80, 64), WHITE)
    image.paste(with_corner(), (12, 6))
    data = encoded(image, "AVIF", icc_profile=profiles.display_p3(), quality=95)
    # The aperture takes the place of the profile, whose association becomes essential, as the specification demands.
    size = 12 + len(profiles.display_p3())
    at = data.index(b"colrprof") - 4
    aperture = box(b"clap", struct.pack(">8i", 64, 1, 48, 1, 4, 1, -2, 1))
    data = data[:at] + aperture + box(b"free", bytes(size - len(aperture) - 8)) + data[at + size :]
    data = data.replace(bytes([5, 1, 2, 0x83, 4, 5]), bytes([5, 1, 2, 0x83, 0x84, 5]))
    header = read_header(io.BytesIO(data))
    assert (header.width, header.height, header.pixels) == (64, 48, 80 * 64)
    assert is_upright(decode(data))


def test_the_exif_of_an_avif_does_not_rotate_it() -> None:
    """An AVIF with an orientation in its EXIF alone is not rotated, as its specification says."""
    data = bytearray(encoded(with_corner(), "AVIF", exif=exif_with_gps(1), quality=90))
    decoded = decode(bytes(data))
    assert decoded.exif["Make"] == "PicShare Optics"
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    at = data.index(struct.pack(">HH", 0x010F, 2)) - 2
    # The entry of the camera's name becomes one of an orientation.
    data[at + 2 : at + 14] = entry
    turned = decode(bytes(data))
    assert turned.exif["Orientation"] == 6
    assert is_upright(turned)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_the_owner_reads_the_exif_of_every_format(kind: str) -> None:
    """The EXIF is read from each format, and no variant has any of it."""
    decoded = decode(encoded(halves(), kind, exif=exif_with_gps()))
    assert decoded.exif["Make"] == "PicShare Optics"
    assert decoded.exif["location"]["latitude"] == 52.508472
    assert all(word not in data for data in decoded.variants.values() for word in (b"Exif", b"GPS", b"Optics"))


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_profile_of_display_p3_is_kept(kind: str) -> None:
    """An image in Display P3 keeps its colours."""
    data = encoded(Image.new("RGB", (64, 48), (30, 200, 60)), kind, icc_profile=profiles.display_p3(), quality=95)
    assert any(profiles.display_p3() in file for file in decode(data).variants.values())


def test_a_heic_in_display_p3_keeps_its_colours() -> None:
    """A HEIC with a profile of Display P3 is like a PNG with it."""
    expected = decode(encoded(Image.new("RGB", (64, 48), (30, 200, 60)), "PNG", icc_profile=profiles.display_p3()))
    assert near(shown(decode(case("p3.heic"))).getpixel((9, 9)), shown(expected).getpixel((9, 9)), 4)  # type: ignore[arg-type]


def ramp() -> Image.Image:
    """Return eight bars of grey."""
    image = Image.new("RGB", (64, 48))
    for step in range(8):
        image.paste((36 * step,) * 3, (8 * step, 0, 8 * step + 8, 48))
    return image


def greys(decoded: Decoded) -> list[int]:
    """Return the grey of each bar of a decoded ramp."""
    image = shown(decoded)
    pixels = [image.getpixel((8 * step + 4, 24)) for step in range(8)]
    return [pixel[0] for pixel in pixels if isinstance(pixel, tuple)]


def with_code_points(avif: bytes, primaries: int, transfer: int) -> bytes:
    """Return an AVIF with other code points for its colours."""
    assert avif.count(b"nclx\0\1\0\x0d") == 1
    return avif.replace(b"nclx\0\1\0\x0d", b"nclx" + struct.pack(">HH", primaries, transfer))


def by_png(primaries: int, transfer: int) -> list[int]:
    """Return the greys of a PNG with code points; those are compared with Chromium's elsewhere."""
    return greys(decode(png_with(encoded(ramp(), "PNG"), png_chunk(b"cICP", bytes([primaries, transfer, 0, 1])))))


@pytest.mark.parametrize("transfer", [16, 18])
def test_a_high_dynamic_range_is_tone_mapped(transfer: int) -> None:
    """PQ and HLG in an AVIF are shown as in a PNG, and not as if they were sRGB."""
    mapped = greys(decode(with_code_points(encoded(ramp(), "AVIF", quality=95), 9, transfer)))
    assert near(tuple(mapped), by_png(9, transfer), 4)
    assert not near(tuple(mapped), [36 * step for step in range(8)], 10)


def test_a_heic_of_high_dynamic_range_is_tone_mapped() -> None:
    """PQ in a HEIC is shown as in a PNG."""
    assert near(tuple(greys(decode(case("pq.heic")))), by_png(9, 16), 4)


def test_code_points_of_srgb_change_nothing() -> None:
    """Code points of sRGB, or unspecified ones, leave the colours as they are."""
    plain = encoded(ramp(), "AVIF", quality=95)
    assert greys(decode(plain)) == greys(decode(with_code_points(plain, 2, 2)))


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "GIF"])
def test_transparency_is_white(kind: str) -> None:
    """Transparent pixels become white in every format, whatever their colour is."""
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 32, 48))
    decoded = shown(decode(encoded(image, kind)))
    assert near(decoded.getpixel((56, 24)), WHITE, 6)
    assert near(decoded.getpixel((8, 24)), RED)


@pytest.mark.parametrize("options", [{}, {"transparency": 1}])
def test_what_the_first_frame_does_not_cover_is_white(options: dict[str, int]) -> None:
    """A GIF whose picture covers a part of its screen is transparent elsewhere, whatever the background colour is."""
    image = Image.new("P", (32, 48), 0)
    image.putpalette([*RED, 0, 0, 0])
    data = bytearray(encoded(image, "GIF", **options))
    data[6:8] = struct.pack("<H", 64)
    at = data.index(b"\x2c\0\0\0\0")
    data[at + 1 : at + 3] = struct.pack("<H", 32)
    decoded = shown(decode(bytes(data)))
    assert near(decoded.getpixel((8, 24)), WHITE, 6)
    assert near(decoded.getpixel((56, 24)), RED)


def test_a_transparent_heic_is_white() -> None:
    """The alpha channel of a HEIC is an image of its own, which counts too."""
    assert near(shown(decode(case("alpha.heic"))).getpixel((56, 40)), WHITE, 6)


def animation(kind: str, frames: int = 3) -> bytes:
    """Return an animation whose first frame is that of `with_corner`, and the others are black."""
    rest = [Image.new("RGB", (64, 48), (60 * step, 0, 0)) for step in range(frames - 1)]
    return encoded(with_corner(), kind, save_all=True, append_images=rest, duration=100)


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation_is_shown(kind: str) -> None:
    """An animation is accepted; its frames are counted, and the first one is shown."""
    data = animation(kind)
    assert read_header(io.BytesIO(data)).frames == 3
    assert is_upright(decode(data))


def test_the_decoder_gets_no_other_frames_and_no_metadata() -> None:
    """The file for the decoder has the first frame only, and neither comments nor EXIF."""
    moving = gif.read(encoded(with_corner(), "GIF", save_all=True, append_images=[halves(64, 48)], comment=b"home"))
    assert gif.read_header(moving.file).frames == 1
    assert b"home" not in moving.file
    still = webp.read(encoded(with_corner(), "WEBP", exif=exif_with_gps(), xmp=b"secret"))
    assert all(word not in still.file for word in (b"Optics", b"secret"))
    assert webp.read_header(webp.read(animation("WEBP")).file).frames == 1


@pytest.mark.parametrize("size", [(8160, 6144), (9248, 6944), (8192, 8192)])
def test_large_phones_are_accepted(size: tuple[int, int]) -> None:
    """Sizes of phones with 50 and 64 megapixels are within the limit."""
    formats.check_size(ImageHeader(JPEG, *size), MAX_PIXELS)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (ImageHeader(HEIC, 8193, 8192), "8193 × 8192 pixels, more than 67,108,864 in all"),
        (ImageHeader(AVIF, 100, 100, coded_pixels=100_000_000), "more than 67,108,864"),
        (ImageHeader(PNG, 65_501, 1), "65,500 on one side"),
        (ImageHeader(GIF, 1000, 1000, 600), "600 frames of 1000 × 1000 pixels, more than 536,870,912 pixels in all"),
        (ImageHeader(WEBP, 2, 2, 5001), "more than 5,000 frames"),
    ],
)
def test_what_is_too_large_is_refused_with_its_limit(header: ImageHeader, reason: str) -> None:
    """Pixels, sides, frames and the pixels of all frames are bounded."""
    with pytest.raises(StructureError, match=reason):
        formats.check_size(header, MAX_PIXELS)


def test_the_text_names_what_is_accepted() -> None:
    """A file of another type is refused with the types that this installation accepts."""
    for data in (
        b"ffconcat version 1.0\nfile in.mp4\n",
        b"#EXTM3U\n",
        b"\0\0\0\x18ftypmp42" + bytes(40),
        b"BM" + bytes(60),
    ):
        with pytest.raises(NotAnImageError, match=r"Send a JPEG, PNG, WebP, AVIF, GIF or HEIC\."):
            read_header(io.BytesIO(data))
    assert formats.accepted(heic=False) == "JPEG, PNG, WebP, AVIF or GIF"
    with pytest.raises(formats.FormatError, match="HEIC image, which this service does not accept"):
        formats.read_header(case("plain.heic"), heic=False)


def test_another_coding_in_the_same_container_is_not_supported() -> None:
    """A HEIF whose image is neither AV1 nor HEVC is refused for that reason."""
    data = case("plain.heic").replace(b"hvc1", b"vvc1")
    with pytest.raises(UnsupportedImageError, match="coded in a way that is not supported"):
        read_header(io.BytesIO(data))


def test_a_picture_outside_of_its_screen_is_refused() -> None:
    """A GIF whose picture is larger than its screen, to which the limits apply, is refused."""
    data = bytearray(encoded(halves(), "GIF"))
    data[6:10] = struct.pack("<HH", 20, 20)
    with pytest.raises(ImageRejectedError, match="outside of its screen"):
        decode(bytes(data))


def test_headers_that_contradict_each_other_are_refused() -> None:
    """A WebP whose first header declares another size than its pixels have is refused."""
    data = bytearray(encoded(halves(), "WEBP", exif=exif_with_gps()))
    assert data[24:27] == (59).to_bytes(3, "little")
    data[24] += 1
    with pytest.raises(ImageRejectedError):
        decode(bytes(data))


def test_a_sequence_of_another_size_than_its_still_image_is_refused() -> None:
    """An AVIF sequence is decoded by its track, so the still image, to which the limits apply, has the same size."""
    data = animation("AVIF").replace(struct.pack(">II", 64, 48), struct.pack(">II", 32, 24), 1)
    assert read_header(io.BytesIO(data)).width == 32
    with pytest.raises(ImageRejectedError, match="contradict each other"):
        decode(data)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_rejected(kind: str, left: float) -> None:
    """A file without all of its pixels is rejected with a reason."""
    data = encoded(Image.open(photograph()).convert("RGB"), kind)
    with pytest.raises(ImageRejectedError, match=r"cut off|ends within|damaged"):
        decode(data[: int(left * len(data))])


def test_a_heic_that_is_cut_off_is_rejected() -> None:
    """A HEIC without all of its pixels is rejected."""
    for missing in (5, 60, 300):
        with pytest.raises(ImageRejectedError):
            decode(case("plain.heic")[:-missing])


def test_damaged_files_give_a_picture_or_our_errors() -> None:
    """Random changes of a file are read, or refused with our own errors, by the API and the decoder alike."""
    rng = random.Random(11)
    sources = [encoded(with_corner(), kind, exif=exif_with_gps()) for kind in ("WEBP", "AVIF")]
    sources += [animation("GIF"), animation("WEBP")]
    outcomes = {"shown": 0, "refused": 0}
    for _ in range(240):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(min(len(data), 700))] = rng.randrange(256)
        try:
            read_header(io.BytesIO(bytes(data)))
        except (BadImageError, NotAnImageError, UnsupportedImageError):
            outcomes["refused"] += 1
            continue
        try:
            decode(bytes(data))
            outcomes["shown"] += 1
        except ImageRejectedError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20, outcomes


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box of an ISO base media file."""
    return struct.pack(">I", 8 + len(body)) + kind + body


def heif(*boxes: bytes) -> bytes:
    """Return an image file with these boxes of metadata."""
    return box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box(b"meta", bytes(4) + b"".join(boxes))


def grid(*codings: bytes) -> bytes:
    """Return the header of an image of 8064 × 6048 pixels that is made of tiles of these codings."""
    kinds = [b"grid", *codings]
    entries = [box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", 1 + item, 0, kind)) for item, kind in enumerate(kinds)]
    properties = [struct.pack(">4xII", 8064, 6048), struct.pack(">4xII", 512, 512)]
    tiles = range(2, 2 + len(codings))
    associations = struct.pack(">HBB", 1, 1, 1) + b"".join(struct.pack(">HBB", tile, 1, 2) for tile in tiles)
    return heif(
        box(b"pitm", bytes(4) + struct.pack(">H", 1)),
        box(b"iinf", bytes(4) + struct.pack(">H", len(kinds)) + b"".join(entries)),
        box(b"iref", bytes(4) + box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles))),
        box(
            b"iprp",
            box(b"ipco", b"".join(box(b"ispe", each) for each in properties))
            + box(b"ipma", bytes(4) + struct.pack(">I", len(kinds)) + associations),
        ),
    )


def test_an_image_of_tiles_has_the_coding_of_its_tiles() -> None:
    """Phones store a HEIC as a grid of tiles; its size is that of the grid, its coding that of all tiles."""
    assert formats.read_header(grid(*[b"hvc1"] * 192)) == ImageHeader(HEIC, 8064, 6048)
    assert formats.read_header(grid(b"av01", b"av01")) == ImageHeader(AVIF, 8064, 6048)
    for codings in ((b"hvc1", b"av01"), (b"grid",), ()):
        with pytest.raises(StructureError, match="coded in a way"):
            formats.read_header(grid(*codings))


COSTLY: dict[str, Callable[[], bytes]] = {
    "a GIF in parts of one byte": lambda: encoded(halves(), "GIF")[:-1] + b"\x21\xfe" + b"\x01x" * 12_000_000,
    "a GIF of many pictures": lambda: encoded(halves(1, 1), "GIF")[:-1] + b"\x2c\0\0\0\0\1\0\1\0\0\2\0" * 2_000_000,
    "a WebP of many frames": lambda: (
        b"RIFF\xff\xff\xff\x7fWEBPVP8X\x0a\0\0\0\x02" + bytes(9) + b"ANMF\0\0\0\0" * 3_000_000
    ),
    "a WebP of many chunks": lambda: (
        b"RIFF\xff\xff\xff\x7fWEBPVP8X\x0a\0\0\0\x02" + bytes(9) + b"junk\0\0\0\0" * 3_000_000
    ),
    "a HEIF of many boxes": lambda: box(b"ftyp", b"heic" + bytes(4) + b"heic") + box(b"free", b"") * 3_000_000,
    "a HEIF of many places without bytes": lambda: heif(
        box(b"iloc", bytes(4) + bytes(2) + struct.pack(">H", 60_000) + struct.pack(">HHH", 1, 0, 65_535) * 60_000)
    ),
    "a HEIF of many properties": lambda: heif(box(b"iprp", box(b"ipco", box(b"free", b"") * 1_900_000))),
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_header_costs_much_time(name: str) -> None:
    """Files of up to 25 MB whose headers are made of very many parts are read or refused in a moment."""
    data = COSTLY[name]()
    assert len(data) < 30_000_000
    started = time.process_time()
    try:
        header = formats.read_header(data)
        formats.check_size(header, MAX_PIXELS)
    except StructureError:
        pass
    assert time.process_time() - started < 1.5  # without the bounds, 4 seconds and more
