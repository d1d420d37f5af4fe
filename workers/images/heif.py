"""The structure of AVIF and HEIC files (ISO/IEC 23008-12, MIAF; AV1 Image File Format).

Both are the same container. The type is that of the coding of the primary image, whatever the brands say, and so is the
decoder. Rotation and mirroring are properties of the image here, which count instead of the orientation in its EXIF.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from workers.images import bmff
from workers.images.limits import MAX_EXIF, MAX_SOURCE_PROFILE, MAX_XMP
from workers.images.structure import AVIF, HEIC, Data, ImageHeader, StructureError, UnsupportedError

_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_CODINGS = {b"av01": AVIF, b"hvc1": HEIC}
_DERIVED = {b"grid", b"iden", b"iovl"}  # images that are made of others
_DESCRIPTION_REFERENCE, _PART_REFERENCE = b"cdsc", b"dimg"
# EXIF orientations by the angle (a quarter turn anticlockwise each) and the axis of mirroring, which is done after it.
_ORIENTATIONS: Mapping[tuple[int, int | None], int] = {
    **{(0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6},
    **{(0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7},
    **{(0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Heif:
    """An AVIF or HEIC file, and the properties of its primary image.

    `orientation` is that of the decoded pixels, in EXIF's numbers; `crop` has left, top, right and bottom of what is to
    be shown of them. The decoder of HEIC applies both itself, so there they are 1 and None, and the size in `header` is
    that of the upright image. `code_points` are the primaries and the transfer function of H.273.
    """

    header: ImageHeader
    file: bytes
    orientation: int
    crop: tuple[int, int, int, int] | None
    exif: bytes
    xmp: bytes
    profile: bytes | None
    code_points: tuple[int, int] | None


def is_heif(data: Data) -> bool:
    """Return whether a file begins as AVIF or HEIC does."""
    return not _BRANDS.isdisjoint(bmff.brands(data))


def read_header(data: Data) -> ImageHeader:
    """Return the header of an AVIF or HEIC file; raise `StructureError`."""
    return _header(data, bmff.read_items(data))


def read(data: Data) -> Heif:
    """Return an AVIF or HEIC file with the properties of its primary image; raise `StructureError`."""
    items = bmff.read_items(data)
    properties = bmff.properties_of(items)
    header = _header(data, items)
    code_points, profile = _colours(properties.get(b"colr", []))
    return Heif(
        header=header,
        file=bytes(data),
        orientation=1 if header.content_type == HEIC else _orientation(properties),
        crop=None if header.content_type == HEIC else _crop(properties, *_stored_size(properties)),
        exif=_exif(data, items),
        xmp=_described(data, items, b"mime", MAX_XMP),
        profile=profile,
        code_points=code_points,
    )


def _header(data: Data, items: bmff.Items) -> ImageHeader:
    properties, content_type = bmff.properties_of(items), _content_type(items)
    width, height = _stored_size(properties)
    coded = 0
    if crop := _crop(properties, width, height):
        coded = width * height
        width, height = crop[2] - crop[0], crop[3] - crop[1]
    if content_type == HEIC and _orientation(properties) >= 5:
        width, height = height, width
    return ImageHeader(content_type, width, height, bmff.sequence_length(data), coded)


def _content_type(items: bmff.Items) -> str:
    kinds = {items.kinds.get(items.primary, b"")}
    if kinds & _DERIVED:
        parts = {part for kind, item, part in items.references if kind == _PART_REFERENCE and item == items.primary}
        kinds = {items.kinds.get(part, b"") for part in parts}
    codings = {_CODINGS.get(kind) for kind in kinds}
    if len(codings) != 1 or None in codings:
        raise UnsupportedError("the image is coded in a way that is not supported, neither as AVIF nor as HEIC")
    return str(codings.pop())


def _stored_size(properties: Mapping[bytes, Sequence[bytes]]) -> tuple[int, int]:
    sizes = properties.get(b"ispe", [])
    if len(sizes) != 1 or len(sizes[0]) != 12:
        raise StructureError("the header of the image is invalid")
    width, height = struct.unpack(">4xII", sizes[0])
    if not (width and height):
        raise StructureError("the header of the image is invalid")
    return width, height


def _orientation(properties: Mapping[bytes, Sequence[bytes]]) -> int:
    turn, mirror = properties.get(b"irot", [b""])[0][:1], properties.get(b"imir", [b""])[0][:1]
    return _ORIENTATIONS[(turn[0] & 3 if turn else 0, mirror[0] & 1 if mirror else None)]


def _crop(properties: Mapping[bytes, Sequence[bytes]], width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return the clean aperture, which is given by its size and the offset of its centre, as fractions."""
    body = properties.get(b"clap", [b""])[0]
    if len(body) != 32:
        return None
    numbers = struct.unpack(">iiiiiiii", body)
    if not all(numbers[1::2]):
        return None
    wide, high, across, down = (Fraction(*numbers[at : at + 2]) for at in (0, 2, 4, 6))
    left, top = Fraction(width - 1, 2) + across - (wide - 1) / 2, Fraction(height - 1, 2) + down - (high - 1) / 2
    box = (int(left), int(top), int(left) + round(wide), int(top) + round(high))
    inside = 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
    return box if inside and box != (0, 0, width, height) else None


def _colours(bodies: Sequence[bytes]) -> tuple[tuple[int, int] | None, bytes | None]:
    """Return the code points, which say how to decode, and the profile, which counts for the colours if it is there."""
    code_points, profile = None, None
    for body in bodies:
        if body[:4] == b"nclx" and len(body) >= 10:
            code_points = struct.unpack(">HH", body[4:8])
        elif body[:4] in {b"prof", b"rICC"} and len(body) <= MAX_SOURCE_PROFILE:
            profile = body[4:]
    return code_points, profile


def _exif(data: Data, items: bmff.Items) -> bytes:
    body = _described(data, items, b"Exif", MAX_EXIF)
    # Four bytes say where the TIFF header begins after them; mostly "Exif\0\0" is in between.
    return body[4 + int.from_bytes(body[:4], "big") :] if len(body) > 4 else b""


def _described(data: Data, items: bmff.Items, kind: bytes, limit: int) -> bytes:
    """Return the first item of a kind that describes the primary image, b"" if there is none or it is too large."""
    for reference, item, described in items.references:
        if reference == _DESCRIPTION_REFERENCE and described == items.primary and items.kinds.get(item) == kind:
            return bmff.item_bytes(data, items, item, limit)
    return b""
