"""The header of a JPEG or PNG: its type and size, read without decoding pixels.

No decoder is imported here. Sources: PNG (ISO/IEC 15948, chunks IHDR and acTL) and JPEG (ITU-T T.81, B.1.1 markers and
B.2.2 frame header).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

JPEG = "image/jpeg"
PNG = "image/png"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_SEGMENTS = 1000  # a JPEG's metadata comes in segments of at most 64 KB
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # in the range of frame markers, but not frames
_COLOUR_TYPES = {0, 2, 3, 4, 6}


class NotAnImageError(Exception):
    """A file is neither a JPEG nor a PNG."""


class BadImageError(Exception):
    """A JPEG or PNG has a header with which it cannot be decoded."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Type and size of an image in pixels; `frames` is more than 1 for an animation."""

    content_type: str
    width: int
    height: int
    frames: int = 1

    @property
    def pixels(self) -> int:
        """Return the number of pixels."""
        return self.width * self.height


def read_header(file: BinaryIO) -> ImageHeader:
    """Return the header of the image in `file`, from its beginning.

    Raises `NotAnImageError` for other file types, `BadImageError` for an empty file or an invalid header.
    """
    start = file.read(8)
    if not start:
        raise BadImageError("The file is empty.")
    if start == _PNG_SIGNATURE:
        return _read_png(file)
    if start[:3] == b"\xff\xd8\xff":
        file.seek(2)
        return _read_jpeg(file)
    raise NotAnImageError("The file is neither a JPEG nor a PNG image.")


def _read_png(file: BinaryIO) -> ImageHeader:
    length, kind = _chunk(file)
    if kind != b"IHDR" or length != 13:
        raise BadImageError("The PNG does not begin with its header.")
    width, height, _, colour, compression, filtering, _ = struct.unpack(">IIBBBBB", _exactly(file, 13))
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31) or colour not in _COLOUR_TYPES or compression or filtering:
        raise BadImageError("The header of the PNG is invalid.")
    file.seek(4, 1)  # the checksum, which the decoder verifies
    for _ in range(_MAX_SEGMENTS):
        length, kind = _chunk(file)
        if kind == b"IDAT":
            return ImageHeader(PNG, width, height)
        if kind == b"acTL":
            frames: int = struct.unpack(">I", _exactly(file, 4))[0]
            return ImageHeader(PNG, width, height, frames=max(1, frames))
        if kind == b"IEND" or length >= 1 << 31:
            break
        file.seek(length + 4, 1)
    raise BadImageError("The PNG contains no image.")


def _read_jpeg(file: BinaryIO) -> ImageHeader:
    for _ in range(_MAX_SEGMENTS):
        marker = _marker(file)
        if marker in _STANDALONE:
            continue
        if marker in {0xD9, 0xDA}:
            break
        length: int = struct.unpack(">H", _exactly(file, 2))[0]
        if length < 2:
            raise BadImageError("The header of the JPEG is invalid.")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            _, height, width, components = struct.unpack(">BHHB", _exactly(file, 6))
            if not (width and height and components):
                raise BadImageError("The header of the JPEG is invalid.")
            return ImageHeader(JPEG, width, height)
        file.seek(length - 2, 1)
    raise BadImageError("The JPEG contains no image.")


def _marker(file: BinaryIO) -> int:
    if _exactly(file, 1) != b"\xff":
        raise BadImageError("The header of the JPEG is invalid.")
    for _ in range(_MAX_SEGMENTS):
        byte = _exactly(file, 1)[0]
        if byte != 0xFF:  # a marker may be preceded by any number of fill bytes
            return byte
    raise BadImageError("The header of the JPEG is invalid.")


def _chunk(file: BinaryIO) -> tuple[int, bytes]:
    length, kind = struct.unpack(">I4s", _exactly(file, 8))
    return length, kind


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise BadImageError("The file ends within its header.")
    return data
