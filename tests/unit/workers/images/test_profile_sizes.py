"""Colour profiles that are too large are left out, and not their images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest

from tests.support.pictures import encoded, halves, jpeg_segment, png_chunk
from workers.images import jpeg, png, webp
from workers.images.limits import MAX_SOURCE_PROFILE

_PART = 65_000  # bytes of a profile in one segment of a JPEG


def in_jpeg(profile: bytes) -> bytes | None:
    """Return the profile that is read from a JPEG with this one."""
    data, count = encoded(halves(), "JPEG"), -(-len(profile) // _PART)
    parts = [profile[start : start + _PART] for start in range(0, len(profile), _PART)]
    segments = [
        jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + part) for number, part in enumerate(parts, 1)
    ]
    return jpeg.read(data[:2] + b"".join(segments) + data[2:]).profile


def in_png(profile: bytes) -> bytes | None:
    """Return the profile that is read from a PNG with this one."""
    data, header = encoded(halves(), "PNG"), 33
    chunk = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))
    return png.read(data[:header] + chunk + data[header:]).colours.profile


def in_webp(profile: bytes) -> bytes | None:
    """Return the profile that is read from a WebP with this one."""
    image = encoded(halves(), "WEBP", lossless=True)[12:]
    width, height = ((side - 1).to_bytes(3, "little") for side in halves().size)
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x20\0\0\0" + width + height
    chunks += b"ICCP" + struct.pack("<I", len(profile)) + profile + bytes(len(profile) % 2) + image
    return webp.read(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks).profile


@pytest.mark.parametrize("profile_in", [in_jpeg, in_png, in_webp])
def test_a_profile_has_a_greatest_size(profile_in: Callable[[bytes], bytes | None]) -> None:
    """A conversion by a larger one would take memory and time for nothing that a display needs."""
    largest = bytes(range(256)) * (MAX_SOURCE_PROFILE // 256)
    assert profile_in(largest) == largest
    assert profile_in(largest + b"x") is None
