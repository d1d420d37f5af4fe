"""Pictures for tests: the photographs of the demonstration, and generated edge cases."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms

CASES = Path(__file__).parent / "images"  # small files that were decoded wrongly once
PHOTOS = Path(__file__).parents[2] / "server" / "demo" / "photos"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>52,30.5N</exif:GPSLatitude></x:xmpmeta>'
RED, BLUE = (220, 30, 30), (30, 30, 220)


def photograph(name: str = "rocket") -> Path:
    """Return the path of one of the photographs: 640 × 427 pixels for "rocket", "temple" and "flower"."""
    return PHOTOS / f"{name}.jpg"


def halves(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Return an image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_with_gps(orientation: int = 1) -> Image.Exif:
    """Return EXIF with a camera, a time and a place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "PicShare Optics", "One\x00", orientation
    exif[0x8769] = {0x9003: "2026:11:20 10:00:00", 0x829A: 0.008, 0x927C: b"maker's secret" * 10}
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 30.5), 3: "E", 4: (13.0, 22.0, 12.0)}
    return exif


def jpeg_with_metadata(orientation: int = 1) -> bytes:
    """Return a JPEG with EXIF, GPS, XMP, a comment, an sRGB profile, and HTML and zip data at its end."""
    data = encoded(
        halves(),
        exif=exif_with_gps(orientation),
        xmp=XMP,
        comment=b"taken at home",
        icc_profile=srgb_profile(),
    )
    return data + b"<html><script>alert(1)</script>PK\x03\x04rest"


def srgb_profile() -> bytes:
    """Return a small, valid RGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def png_of(width: int, height: int, *, colour: int = 2, rows: int = 0, frames: int = 1) -> bytes:
    """Return a PNG that declares a size and frames but has only `rows` rows of zeros, 8 bits per channel."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + width * {0: 1, 2: 3, 6: 4}[colour]) * rows), 9)
    animation = png_chunk(b"acTL", struct.pack(">II", frames, 0)) if frames > 1 else b""
    body = png_chunk(b"IHDR", header) + animation + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def case(name: str) -> bytes:
    """Return one of the files in `tests/support/images`."""
    return (CASES / name).read_bytes()


def png_with(png: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with more chunks behind its header."""
    header = 8 + 12 + 13
    return png[:header] + b"".join(chunks) + png[header:]


def damaged(chunk: bytes) -> bytes:
    """Return a chunk with a wrong checksum."""
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


def raw_png(width: int, height: int, *, depth: int, colour: int, row: bytes) -> bytes:
    """Return a PNG whose rows are all equal; `row` has the samples of one, without its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * height)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
