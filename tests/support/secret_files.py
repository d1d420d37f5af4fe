"""Files of every accepted format with a secret in one place of their metadata, and the search for it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping

from PIL import Image, ImageCms

from tests.support.pictures import case, encoded, halves, jpeg_segment, png_chunk, png_with
from tests.support.texts_in_files import jpeg_with_resources, photoshop_resources, xmp_packet
from tests.support.ultra_hdr import PIXEL, described, gain_image

MARKER = "Hq7Secret"
_TEXT = MARKER.encode()
LATITUDE = (52.0, 30.0, 30.51)  # degrees, minutes, seconds
_POSITIONS = (b"52.508475", b"52,30.5085N")
_TRAIL = _TEXT * 20 + _POSITIONS[0]

Place = Callable[[], bytes]


def secrets_in(data: bytes) -> list[bytes]:
    """Return which forms of the marker and of the position are in a file."""
    rationals = [(52, 1), (30, 1), (3051, 100)]
    forms = [_TEXT, MARKER.encode("utf-16-le"), MARKER.encode("utf-16-be"), b"GPSL", *_POSITIONS]
    forms += [b"".join(struct.pack(f"{order}II", *pair) for pair in rationals) for order in "<>"]
    forms += [zlib.compress(_TRAIL, level) for level in (1, 6, 9)]
    return [form for form in forms if form in data]


def exif() -> bytes:
    """Return EXIF with the marker in texts, a comment, a maker's note and a thumbnail, and with the position."""
    block = Image.Exif()
    block[0x010E], block[0x9C9B] = MARKER, MARKER.encode("utf-16-le")
    block[0x8769] = {0x927C: b"Maker\0" + _TRAIL, 0x9286: b"UNICODE\0" + MARKER.encode("utf-16-be"), 0xA431: MARKER}
    block[0x8825] = {
        1: "N",
        2: LATITUDE,
        3: "E",
        4: (13.0, 22.0, 12.0),
        0x1B: b"ASCII\0\0\0" + _TEXT,
        0x1D: "2026:11:20",
    }
    thumbnail = encoded(Image.new("RGB", (16, 16)), comment=_TRAIL)
    tiff = bytearray(block.tobytes().removeprefix(b"Exif\0\0"))
    # A second directory with a thumbnail, which Pillow does not write, follows the others.
    order = "<" if tiff[:2] == b"II" else ">"
    first = struct.unpack_from(f"{order}I", tiff, 4)[0]
    link = first + 2 + 12 * struct.unpack_from(f"{order}H", tiff, first)[0]
    struct.pack_into(f"{order}I", tiff, link, len(tiff))
    entries = ((0x0201, len(tiff) + 30), (0x0202, len(thumbnail)))
    directory = struct.pack(f"{order}H", 2) + b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, at) for tag, at in entries
    )
    return b"Exif\0\0" + bytes(tiff) + directory + bytes(4) + thumbnail


def xmp() -> bytes:
    """Return a packet with the marker and the position in all but the rights, which are published."""
    hidden = f"<exif:GPSLatitude xmlns:exif='http://ns.adobe.com/exif/1.0/'>{_POSITIONS[1].decode()}</exif:GPSLatitude>"
    return xmp_packet(alt_text=MARKER, description=MARKER, extra=hidden, creator="A Creator", rights="© A Creator")


def profile() -> bytes:
    """Return a colour profile that is valid, with the marker in its description."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    words = "sRGB".encode("utf-16-be")
    at = srgb.index(words)
    return srgb[:at] + MARKER[:4].encode("utf-16-be") + srgb[at + len(words) :] + _TRAIL


def _jpeg_with(*segments: bytes) -> bytes:
    jpeg = encoded(halves())
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def _multi_picture() -> bytes:
    second = encoded(halves(), exif=exif(), xmp=xmp(), comment=_TRAIL)
    index = jpeg_segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + b"\x01\0\x00\xb0\x07\0\x04\0\0\x000100" + bytes(4))
    return _jpeg_with(index) + second


def _gain_map() -> bytes:
    second = encoded(gain_image((30, 20)), exif=exif(), comment=_TRAIL)
    return encoded(halves(), exif=exif(), xmp=xmp()) + second[:2] + described(**PIXEL) + second[2:] + _TRAIL


def _app_segments() -> bytes:
    known = {0xE1: b"http://ns.adobe.com/xmp/extension/\0", 0xEB: b"JP\0\1", 0xED: b"Photoshop 3.0\0"}
    return _jpeg_with(*(jpeg_segment(marker, known.get(marker, b"Name\0") + _TRAIL) for marker in range(0xE1, 0xF0)))


def _thumbnails() -> bytes:
    pixels = (_TEXT * 3)[:27]
    jfif = jpeg_segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\3\3" + pixels)
    return _jpeg_with(jfif, jpeg_segment(0xE0, b"JFXX\0\x13\3\3" + pixels))


JPEG: Mapping[str, Place] = {
    "EXIF": lambda: encoded(halves(), exif=exif()),
    "XMP": lambda: encoded(halves(), xmp=xmp()),
    "IPTC": lambda: jpeg_with_resources(photoshop_resources(dict.fromkeys((5, 25, 90, 120), _TEXT))),
    "comment": lambda: encoded(halves(), comment=_TRAIL),
    "profile": lambda: encoded(halves(), icc_profile=profile()),
    "segments of all types": _app_segments,
    "thumbnails": _thumbnails,
    "stray bytes": lambda: _jpeg_with(_TRAIL),
    "second image": _multi_picture,
    "gain map": _gain_map,
    "after the end": lambda: encoded(halves()) + _TRAIL,
    "motion photo": lambda: encoded(halves()) + struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + _TRAIL,
}


def _png(*chunks: bytes) -> bytes:
    return png_with(encoded(halves(), "PNG"), *chunks)


def _behind_pixels(chunk: bytes) -> bytes:
    png = encoded(halves(), "PNG")
    return png[:-12] + chunk + png[-12:]


def _animated_png() -> bytes:
    frames = encoded(halves(), "PNG", save_all=True, append_images=[halves(mode="L").convert("RGB")], duration=100)
    at = frames.index(b"fdAT") - 4 - 38
    return png_with(
        frames[:at] + png_chunk(b"tEXt", b"Comment\0" + _TRAIL) + frames[at:], png_chunk(b"eXIf", exif()[6:])
    )


_ITXT = b"XML:com.adobe.xmp\0\0\0\0\0"
PNG: Mapping[str, Place] = {
    "tEXt": lambda: _png(png_chunk(b"tEXt", b"Comment\0" + _TRAIL)),
    "zTXt": lambda: _png(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(_TRAIL))),
    "iTXt": lambda: _png(png_chunk(b"iTXt", b"Title\0\0\0en\0" + _TEXT + b"\0" + _TRAIL)),
    "XMP": lambda: _png(png_chunk(b"iTXt", _ITXT + xmp())),
    "raw profiles": lambda: _png(
        png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 9\n" + _TEXT.hex().encode() + _TEXT)
    ),
    "eXIf": lambda: _png(png_chunk(b"eXIf", exif()[6:])),
    "profile": lambda: _png(png_chunk(b"iCCP", _TEXT + b"\0\0" + zlib.compress(profile()))),
    "palettes": lambda: _png(png_chunk(b"sPLT", _TEXT + b"\0\x08" + _TEXT[:6])),
    "private": lambda: _png(png_chunk(b"prVt", _TRAIL)),
    "behind the pixels": lambda: _behind_pixels(png_chunk(b"tEXt", b"Comment\0" + _TRAIL)),
    "after the end": lambda: encoded(halves(), "PNG") + _TRAIL,
    "animation": _animated_png,
}


def _webp_with(*chunks: tuple[bytes, bytes], data: bytes | None = None) -> bytes:
    data = data or encoded(halves(), "WEBP", exif=b"Exif\0\0")
    for kind, body in chunks:
        data += kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def _animated_webp() -> bytes:
    frames = encoded(halves(), "WEBP", save_all=True, append_images=[halves(mode="L").convert("RGB")], exif=exif())
    return _webp_with((b"XMP ", xmp()), (b"prVt", _TRAIL), data=frames)


WEBP: Mapping[str, Place] = {
    "EXIF": lambda: encoded(halves(), "WEBP", exif=exif()),
    "XMP": lambda: encoded(halves(), "WEBP", xmp=xmp()),
    "profile": lambda: encoded(halves(), "WEBP", icc_profile=profile()),
    "private": lambda: _webp_with((b"prVt", _TRAIL)),
    "after the end": lambda: encoded(halves(), "WEBP") + _TRAIL,
    "animation": _animated_webp,
}


def _gif_block(label: int, *parts: bytes) -> bytes:
    return b"\x21" + bytes([label]) + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _gif_with(block: bytes, *, frames: int = 1, between: bool = False) -> bytes:
    others = [Image.new("P", (60, 40), number) for number in range(1, frames)]
    gif = encoded(halves(mode="P"), "GIF", save_all=frames > 1, append_images=others, duration=100)
    at = gif.rindex(b"\x21\xf9") if between else 13 + 3 * (2 << (gif[10] & 7))
    return gif[:at] + block + gif[at:]


_GIF_BLOCKS = {
    "comment": _gif_block(0xFE, _TRAIL),
    "application": _gif_block(0xFF, b"Secret  1.0", _TRAIL),
    "XMP": _gif_block(0xFF, b"XMP DataXMP", b"GPSLatitude" + _TRAIL),
    "plain text": _gif_block(0x01, bytes(12), _TRAIL),
}
GIF: Mapping[str, Place] = {
    **{name: lambda block=block: _gif_with(block) for name, block in _GIF_BLOCKS.items()},  # type: ignore[misc]
    "after the end": lambda: encoded(halves(mode="P"), "GIF") + _TRAIL,
    "animation": lambda: _gif_with(_GIF_BLOCKS["comment"], frames=3, between=True),
}


def _box(kind: bytes) -> bytes:
    return struct.pack(">I", 8 + 16 + len(_TRAIL)) + kind + bytes(16) + _TRAIL


AVIF: Mapping[str, Place] = {
    "EXIF": lambda: encoded(halves(), "AVIF", exif=exif()),
    "XMP": lambda: encoded(halves(), "AVIF", xmp=xmp()),
    "profile": lambda: encoded(halves(), "AVIF", icc_profile=profile()),
    "boxes": lambda: encoded(halves(), "AVIF") + _box(b"uuid") + _box(b"free"),
    "after the end": lambda: encoded(halves(), "AVIF") + _TRAIL,
}
HEIC: Mapping[str, Place] = {
    "boxes": lambda: case("plain.heic") + _box(b"uuid") + _box(b"free"),
    "after the end": lambda: case("plain.heic") + _TRAIL,
}
FORMATS = {"JPEG": JPEG, "PNG": PNG, "WebP": WEBP, "GIF": GIF, "AVIF": AVIF, "HEIC": HEIC}


PLACES = [(format_, place) for format_, each in FORMATS.items() for place in each]
