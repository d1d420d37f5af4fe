"""EXIF as a plain, bounded, JSON-safe map, which only the photo's owner reads.

Tag names are those of Exif 2.32 as Pillow spells them; the GPS block is under "GPS". Tags that cannot be read are left
out: broken metadata never makes a photo unusable.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

MAX_TAGS = 120
MAX_TEXT = 256  # characters of one value
MAX_NUMBERS = 32  # numbers of one value
_ORIENTATION = 0x0112
_UNREADABLE = (SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OSError, struct.error)


def parse_exif(data: bytes) -> Image.Exif:
    """Return the EXIF in a block that begins with its TIFF header; an empty one if it is broken."""
    exif = Image.Exif()
    try:
        exif.load(data)
    except _UNREADABLE:
        return Image.Exif()
    return exif


def read_orientation(exif: Image.Exif) -> int:
    """Return the EXIF orientation, 1–8; 1 (upright) when it is missing or invalid."""
    try:
        value = exif.get(_ORIENTATION, 1)
    except _UNREADABLE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def read_exif(exif: Image.Exif) -> dict[str, Any]:
    """Return the tags by name: texts, numbers and lists of numbers."""
    try:
        blocks = (dict(exif), exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo))
    except _UNREADABLE:
        return {}
    found = _plain({**blocks[0], **blocks[1]}, ExifTags.TAGS)
    if gps := _plain(blocks[2], ExifTags.GPSTAGS):
        found["GPS"] = gps
    return found


def _plain(block: Mapping[int, Any], names: Mapping[int, str]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for tag, value in block.items():
        name = names.get(tag)
        # Pointers to other blocks, thumbnails and makers' notes are of no use to a reader.
        if name is None or name.endswith(("Offset", "IFD", "IFDPointer")) or name in {"MakerNote", "GPSInfo"}:
            continue
        cleaned = _value(value)
        if cleaned is not None and cleaned != "" and len(plain) < MAX_TAGS:
            plain[name] = cleaned
    return plain


def _value(value: object) -> object:
    if isinstance(value, bytes):
        return _text(value.decode("ascii", "replace")) if len(value) <= MAX_TEXT and value.isascii() else None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple | list):
        numbers = [_number(item) for item in value[:MAX_NUMBERS]]
        return None if any(item is None for item in numbers) else numbers
    return _number(value)


def _text(value: str) -> str:
    # PostgreSQL's JSON has neither NUL nor half a surrogate pair.
    clean = "".join(symbol for symbol in value if symbol.isprintable())
    return clean.encode("utf-8", "replace").decode()[:MAX_TEXT].strip()


def _number(value: object) -> int | float | None:
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else None
    try:
        number = float(value)  # type: ignore[arg-type]  # one of Pillow's rationals, whose 0/0 is not a number
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return round(number, 8) if math.isfinite(number) else None
