"""The type and size of an uploaded JPEG or PNG, read without decoding pixels.

The structure is read by the modules that also prepare a file for the decoder, so both accept the same files. No decoder
is imported here.
"""

from __future__ import annotations

import io
import mmap
from typing import BinaryIO

from workers.images import jpeg, png
from workers.images.structure import Data, ImageHeader, StructureError, UnsupportedError


class NotAnImageError(Exception):
    """A file is neither a JPEG nor a PNG."""


class UnsupportedImageError(Exception):
    """A JPEG or PNG is of a kind that the decoder does not know."""


class BadImageError(Exception):
    """A JPEG or PNG has a header with which it cannot be decoded."""


def read_header(file: BinaryIO) -> ImageHeader:
    """Return the header of the image in `file`, whose position is at its beginning.

    Raises `NotAnImageError` for other file types, `UnsupportedImageError` for a kind of JPEG or PNG that cannot be
    decoded, `BadImageError` for an empty file or an invalid header.
    """
    if not file.read(1):
        raise BadImageError("The file is empty.")
    file.seek(0)
    try:
        descriptor = file.fileno()
    except io.UnsupportedOperation:
        return _header_of(file.read())
    # A map reads only the pages that are used, however far into the file the header extends.
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        return _header_of(data)


def _header_of(data: Data) -> ImageHeader:
    start = data[: len(png.SIGNATURE)]
    try:
        if start == png.SIGNATURE:
            return png.read_header(data)
        if start.startswith(jpeg.SOI):
            return jpeg.read_header(data)
    except UnsupportedError as error:
        raise UnsupportedImageError(_sentence(error)) from error
    except StructureError as error:
        raise BadImageError(_sentence(error)) from error
    raise NotAnImageError("The file is neither a JPEG nor a PNG image.")


def _sentence(error: StructureError) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
