"""EXIF as a plain, bounded, JSON-safe map, which only the photo's owner reads.

Tag names are those of Exif 2.32 as Pillow spells them. Of the GPS block only the position is read, under "location": in
degrees and metres. Tags that cannot be read are left out: broken metadata never makes a photo unusable.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from workers.images.iptc import decoded

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


def read_text(exif: Image.Exif, tag: int) -> str:
    """Return the text of a tag of the first block, "" without one; most programs write UTF-8 where it says ASCII."""
    try:
        value = exif.get(tag)
    except _UNREADABLE:
        return ""
    if isinstance(value, str):
        value = value.encode("latin-1", "ignore")  # as which Pillow has decoded it
    return decoded(value).strip("\0 ") if isinstance(value, bytes) else ""


def read_exif(exif: Image.Exif) -> dict[str, Any]:
    """Return the tags by name: texts, numbers and lists of numbers."""
    try:
        blocks = (dict(exif), exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo))
    except _UNREADABLE:
        return {}
    found = _plain({**blocks[0], **blocks[1]}, ExifTags.TAGS)
    if position := _position(blocks[2]):
        found["location"] = position
    return found


def _position(block: Mapping[int, Any]) -> dict[str, float] | None:
    """Return latitude, longitude and, if it is there, altitude of a GPS block; None if the first two are not valid."""
    gps = _plain(block, ExifTags.GPSTAGS)
    latitude = _degrees(gps.get("GPSLatitude"), gps.get("GPSLatitudeRef"), {"N": 1, "S": -1}, 90)
    longitude = _degrees(gps.get("GPSLongitude"), gps.get("GPSLongitudeRef"), {"E": 1, "W": -1}, 180)
    if latitude is None or longitude is None:
        return None
    position = {"latitude": latitude, "longitude": longitude}
    altitude = gps.get("GPSAltitude")
    if isinstance(altitude, int | float):
        below_sea = block.get(ExifTags.GPS.GPSAltitudeRef) in {1, b"\x01"}
        position["altitude"] = round(-altitude if below_sea else altitude, 1)
    return position


def _degrees(parts: object, reference: object, signs: Mapping[str, int], limit: int) -> float | None:
    """Return degrees, minutes and seconds as degrees; None if they, or the reference, are not valid."""
    sign = signs.get(reference) if isinstance(reference, str) else None
    if sign is None or not isinstance(parts, list) or not 1 <= len(parts) <= 3:
        return None
    degrees = sum(float(part) / 60**power for power, part in enumerate(parts))
    return round(sign * degrees, 6) if 0 <= degrees <= limit else None


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
