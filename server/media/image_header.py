"""The type and size of an uploaded image, read without decoding pixels.

The structure is read by the modules that also prepare a file for the decoder, so both accept the same files. No decoder
is imported here.
"""

from __future__ import annotations

import io
import mmap
from typing import BinaryIO

from workers.images import formats
from workers.images.structure import Data, ImageHeader, StructureError, UnsupportedError


class NotAnImageError(Exception):
    """A file is of no accepted type; the text names those."""


class UnsupportedImageError(Exception):
    """An image is of a kind of its type that the decoder does not know."""


class BadImageError(Exception):
    """An image has a header with which it cannot be decoded."""


def read_header(file: BinaryIO) -> ImageHeader:
    """Return the header of the image in `file`, whose position is at its beginning.

    Raises `NotAnImageError` for other file types, `UnsupportedImageError` for a kind of image that cannot be decoded,
    `BadImageError` for an empty file or an invalid header.
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
    try:
        return formats.read_header(data)
    except formats.FormatError as error:
        raise NotAnImageError(f"{sentence(error)} Send a {formats.accepted()}.") from error
    except UnsupportedError as error:
        raise UnsupportedImageError(sentence(error)) from error
    except StructureError as error:
        raise BadImageError(sentence(error)) from error


def sentence(error: Exception) -> str:
    """Return the text of an error, which is a clause, as a sentence."""
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
