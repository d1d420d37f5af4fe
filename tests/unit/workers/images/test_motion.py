"""Animations in motion: all frames, durations and repetitions, within limits, and nothing else of the file."""

from __future__ import annotations

import io
import random
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from storage.blobs.variants import MOTION
from tests.support.animations import COLOURS, GREEN, animated, frames_of, gif_of
from tests.support.pictures import BLUE, RED, XMP, encoded, exif_with_gps, halves, png_chunk, png_with
from workers.images import animations, apng, gif, motion
from workers.images.decode import ImageRejectedError, decode
from workers.images.limits import MAX_MOTION_PIXELS, MAX_PIXELS
from workers.images.profiles import display_p3
from workers.images.published import ForeignBytesError, check
from workers.images.structure import StructureError

KINDS = ("GIF", "PNG", "WEBP")


def moving(data: bytes) -> bytes:
    """Return the animated variant of a file, which may be published."""
    made = motion.make(data, max_pixels=MAX_PIXELS)
    assert list(made) == ["motion.webp"]
    check(made["motion.webp"], "webp", motion=True)
    return made["motion.webp"]


def plays(data: bytes) -> int:
    """Return how often an animated WebP is played; 0 means for ever."""
    loop = Image.open(io.BytesIO(data)).info["loop"]
    assert isinstance(loop, int)
    return loop


def colours(data: bytes) -> list[tuple[int, int, int]]:
    """Return the colour in the middle of each frame, as the nearest of the known ones."""
    known = (*COLOURS, (255, 255, 255), (0, 0, 0))
    found = []
    for image, _ in frames_of(data):
        pixel = image.getpixel((image.width // 2, image.height // 2))
        assert isinstance(pixel, tuple)
        found.append(min(known, key=lambda one: sum(abs(a - b) for a, b in zip(one, pixel, strict=True))))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_all_frames_are_shown(kind: str) -> None:
    """Each frame is there with its duration, and the decoder says that the image is an animation."""
    data = animated(kind, duration=[40, 300, 120])
    assert decode(data).motion
    made = moving(data)
    assert colours(made) == [RED, BLUE, GREEN]
    assert [duration for _, duration in frames_of(made)] == [40, 300, 120]


@pytest.mark.parametrize("kind", [*KINDS, "JPEG", "AVIF"])
def test_a_still_image_has_no_motion(kind: str) -> None:
    """A still image of any format, and a sequence of AVIF, is shown by one image."""
    data = encoded(halves(), kind)
    assert not decode(data).motion
    with pytest.raises(ImageRejectedError, match="not an animation"):
        motion.make(data, max_pixels=MAX_PIXELS)
    assert not decode(animated("AVIF")).motion


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("GIF", {}, 1),
        ("GIF", {"loop": 0}, 0),
        ("GIF", {"loop": 2}, 3),  # a GIF says how often it is repeated, the others how often it is played
        ("PNG", {"loop": 0}, 0),
        ("PNG", {"loop": 2}, 2),
        ("PNG", {"loop": 1_000_000}, 65_535),
        ("WEBP", {"loop": 0}, 0),
        ("WEBP", {"loop": 2}, 2),
    ],
)
def test_it_repeats_as_the_original(kind: str, options: dict[str, Any], expected: int) -> None:
    """The number of repetitions is kept."""
    assert plays(moving(animated(kind, **options))) == expected


@pytest.mark.parametrize(("milliseconds", "expected"), [(0, 100), (10, 100), (20, 20), (600_000, 60_000)])
def test_durations_are_sane(milliseconds: int, expected: int) -> None:
    """A duration that no screen shows becomes 100 ms, as in browsers; none is longer than a minute."""
    data = animated("GIF" if milliseconds <= 20 else "WEBP", duration=[milliseconds, 100, 100])
    assert frames_of(moving(data))[0][1] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_frames_build_on_each_other(kind: str) -> None:
    """A frame that changes a part of the image is shown with the rest of it."""
    second = Image.new("RGB", (64, 48), RED)
    second.paste(BLUE, (40, 30, 64, 48))
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.new("RGB", (64, 48), RED), kind, save_all=True, append_images=[second], **lossless)
    assert len(data) < len(animated(kind)) * 2
    image = frames_of(moving(data))[1][0]
    for at, colour in (((5, 5), RED), ((60, 44), BLUE)):
        pixel = image.getpixel(at)
        assert isinstance(pixel, tuple)
        assert all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_transparency_is_white_in_every_frame(kind: str) -> None:
    """The frames are flat like the still image, so nothing of it shows through."""
    clear, opaque = Image.new("RGBA", (64, 48), (0, 0, 0, 0)), Image.new("RGBA", (64, 48), (*RED, 255))
    data = encoded(opaque, kind, save_all=True, append_images=[clear], disposal=2, duration=100)
    made = moving(data)
    assert colours(made) == [RED, (255, 255, 255)]
    assert frames_of(made)[1][0].getbbox() is not None


def disposed(disposal: int) -> bytes:
    """Return a GIF with a red screen, whose left half is blue in the second of three frames, with this disposal."""
    return gif_of(
        (Image.new("RGB", (64, 48), RED), (0, 0), 0),
        (Image.new("RGB", (32, 48), BLUE), (0, 0), disposal),
        (Image.new("RGB", (8, 8), GREEN), (56, 40), 0),
    )


@pytest.mark.parametrize(
    ("disposal", "left"), [(0, BLUE), (1, BLUE), (2, (255, 255, 255)), (3, RED), (7, BLUE)], ids=str
)
def test_the_area_of_a_gif_is_disposed_of_as_it_says(disposal: int, left: tuple[int, int, int]) -> None:
    """The area of a picture stays, is cleared, or becomes what it was, before the next one; the rest stays."""
    last = frames_of(moving(disposed(disposal)))[2][0]
    for at, expected in (((12, 24), left), ((44, 12), RED), ((60, 44), GREEN)):
        pixel = last.getpixel(at)
        assert isinstance(pixel, tuple)
        assert all(abs(a - b) < 40 for a, b in zip(pixel, expected, strict=True)), (at, pixel)


def test_it_is_as_upright_as_the_still_image() -> None:
    """An orientation in the EXIF turns all frames."""
    data = animated("PNG", exif=exif_with_gps(6))
    assert Image.open(io.BytesIO(moving(data))).size == (decode(data).width, decode(data).height) == (48, 64)


def test_it_is_not_larger_than_its_size() -> None:
    """Large animations are made smaller, others are not enlarged."""
    assert Image.open(io.BytesIO(moving(animated("WEBP", size=(1280, 320))))).size == (MOTION.side, MOTION.side // 4)
    assert Image.open(io.BytesIO(moving(animated("WEBP")))).size == (64, 48)


def test_a_profile_of_display_p3_is_kept() -> None:
    """The frames have the colours of the still image."""
    made = moving(animated("WEBP", icc_profile=display_p3()))
    assert Image.open(io.BytesIO(made)).info["icc_profile"] == display_p3()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_of_the_file_is_left(kind: str) -> None:
    """Neither the decoder nor the variant gets metadata, comments or bytes behind the image."""
    options = {"GIF": {"comment": b"taken at home"}}.get(kind, {"exif": exif_with_gps(), "xmp": XMP})
    data = animated(kind, **options) + b"<html>home</html>"
    found = animations.find(data)
    assert found is not None
    shown = b"".join(frame.picture.file for frame in gif.frames(data)) if kind == "GIF" else found.frames.file
    for file in (shown, moving(data)):
        assert all(word not in file for word in (b"home", b"Exif", b"Optics", b"GPS", b"html"))


def test_what_is_too_large_is_shown_by_its_first_frame() -> None:
    """An animation with too many pixels in all frames is accepted, and shown without motion."""
    side = 2048
    frames = MAX_MOTION_PIXELS // side**2
    still = Image.new("P", (side, side))
    fits = encoded(
        still, "GIF", save_all=True, append_images=[Image.new("P", (side, side), n) for n in range(1, frames)]
    )
    assert decode(fits).motion
    more = [Image.new("P", (side, side), n) for n in range(1, frames + 1)]
    assert not decode(encoded(still, "GIF", save_all=True, append_images=more)).motion


def without_image_as_frame(data: bytes) -> bytes:
    """Return an animated PNG whose first frame is not its still image, and which has one frame less."""
    start = data.index(b"fcTL") - 4
    at = data.index(b"acTL")
    whole = data[:start] + data[start + 38 :]
    (number,) = struct.unpack(">I", data[at + 4 : at + 8])
    control = png_chunk(b"acTL", struct.pack(">II", number - 1, 0))
    return whole[: at - 4] + control + whole[at + 16 :]


def test_a_png_may_have_a_still_image_that_is_no_frame() -> None:
    """The still image of such a PNG is its poster, and not a frame."""
    data = without_image_as_frame(animated("PNG"))
    assert colours(moving(data)) == [BLUE, GREEN]


def cut(data: bytes) -> bytes:
    """Return a file that ends within its last frame."""
    return data[:-30]


def outside(data: bytes) -> bytes:
    """Return an animation whose last frame is moved out of the image."""
    altered = bytearray(data)
    if data[:3] == b"GIF":
        at = data.rindex(b"\x2c\0\0\0\0")
        altered[at + 1] = 60
    elif data[:4] == b"RIFF":
        altered[data.rindex(b"ANMF") + 8] = 60
    else:
        at = data.rindex(b"fcTL")
        body = bytearray(data[at + 4 : at + 30])
        body[15] = 60  # the lowest byte of the left side
        altered[at - 4 : at + 34] = png_chunk(b"fcTL", bytes(body))
    return bytes(altered)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", [cut, outside])
def test_damage_behind_the_first_frame_leaves_the_first_frame(kind: str, damage: Callable[[bytes], bytes]) -> None:
    """Such a photo is shown still, as before there was motion; if only the decoder notices it, by its refusal."""
    data = damage(animated(kind))
    decoded = decode(data)
    assert (decoded.width, decoded.height) == (64, 48)
    with pytest.raises(ImageRejectedError):
        motion.make(data, max_pixels=MAX_PIXELS)
    if kind != "WEBP" or damage is cut:
        assert not decoded.motion


def test_damaged_files_give_frames_or_our_errors() -> None:
    """Random changes of an animation are shown, or refused with our own error; what is made can be published."""
    rng = random.Random(11)
    sources = [animated(kind) for kind in KINDS]
    outcomes = {"shown": 0, "refused": 0}
    for _ in range(300):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            moving(bytes(data))
            outcomes["shown"] += 1
        except ImageRejectedError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10, outcomes


def test_a_png_is_read_by_our_own_numbers() -> None:
    """A wrong number of frames in a PNG does not matter, not even to its limit; a frame without pixels does."""
    data = animated("PNG")
    claimed = data.replace(png_chunk(b"acTL", struct.pack(">II", 3, 0)), png_chunk(b"acTL", struct.pack(">II", 9, 0)))
    assert claimed != data
    assert len(frames_of(moving(claimed))) == 3
    many = animated("PNG", [(n % 256, n // 256, 0) for n in range(5_001)], size=(1, 1), default_image=False)
    few = re.sub(rb"acTL.{12}", png_chunk(b"acTL", struct.pack(">II", 2, 0))[4:], many, count=1, flags=re.DOTALL)
    assert not decode(few).motion
    control = data[data.index(b"fcTL") - 4 :][:38]
    with pytest.raises(StructureError):
        apng.read_frames(png_with(data, control))


@pytest.mark.parametrize("change", [lambda d: d + b"\0", lambda d: d.replace(b"ANMF", b"XXXX"), lambda d: d[:-1]])
def test_other_bytes_of_an_animation_are_refused(change: Callable[[bytes], bytes]) -> None:
    """Only what the encoder writes is published."""
    with pytest.raises(ForeignBytesError):
        check(change(moving(animated("GIF"))), "webp", motion=True)


def in_frame(data: bytes, kind: bytes) -> bytes:
    """Return an animated WebP with another chunk in its first frame, whose sizes are right."""
    at = data.index(b"ANMF")
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    end = at + 8 + size
    chunk = kind + struct.pack("<I", 4) + b"home"
    whole = data[: at + 4] + struct.pack("<I", size + len(chunk)) + data[at + 8 : end] + chunk + data[end:]
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def test_other_chunks_in_a_frame_are_refused() -> None:
    """A frame has pixels alone."""
    with pytest.raises(ForeignBytesError, match="in a frame"):
        check(in_frame(moving(animated("GIF")), b"EXIF"), "webp", motion=True)


def test_a_still_variant_is_no_animation() -> None:
    """An animation is published under the name of the variant for it only."""
    data = moving(animated("GIF"))
    with pytest.raises(ForeignBytesError):
        check(data, "webp")
    for metadata in ({"exif": exif_with_gps()}, {"xmp": XMP}):
        with pytest.raises(ForeignBytesError):
            check(animated("WEBP", **metadata), "webp", motion=True)
