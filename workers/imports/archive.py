"""A ZIP file from an untrusted source: its files by name, each read within limits. Nothing here trusts the archive.

Names are looked up and never become paths, so none leads out of a directory. All functions block.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from workers.imports.port import BadArchiveError, RefusedItemError

MAX_ENTRIES = 50_000
MAX_DIRECTORY = 16 * 1024 * 1024  # bytes of the list of all files, which is held in memory
MAX_DESCRIPTION = 32 * 1024 * 1024  # bytes of a JSON file, likewise
_CHUNK = 256 * 1024
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_NOT_WHOLE = "This is not a whole ZIP file. Upload the archive again, as you have received it."
# The end of a ZIP file (APPNOTE 4.3.16), and what precedes it in a large one (4.3.14, 4.3.15).
_END, _END_SIGNATURE = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_SIGNATURE = struct.Struct("<4sLQL"), b"PK\x06\x07"
_LARGE_END, _LARGE_END_SIGNATURE = struct.Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_LONGEST_COMMENT = 1 << 16


class Archive:
    """The files of an archive; raises `BadArchiveError` if its directory cannot be read or is too large."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            _check_directory(file)
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, UnicodeDecodeError) as error:
            raise BadArchiveError(_NOT_WHOLE) from error
        self._files: dict[str, zipfile.ZipInfo] = {}
        self._repeated: set[str] = set()
        for info in self._zip.infolist():
            if info.filename in self._files:
                self._repeated.add(info.filename)
            self._files[info.filename] = info

    def names(self) -> Iterator[str]:
        """Return the names of all files."""
        return iter(self._files)

    def read(self, name: str) -> bytes:
        """Return a description; raise `BadArchiveError`."""
        try:
            return b"".join(self._chunks(name, MAX_DESCRIPTION))
        except RefusedItemError as error:
            raise BadArchiveError(f"The archive cannot be read: {error}") from error

    def extract(self, name: str, path: Path, *, limit: int) -> None:
        """Write a file to `path`, which is the caller's choice; raise `RefusedItemError`."""
        with path.open("xb") as target:
            for chunk in self._chunks(name, limit):
                target.write(chunk)

    def _chunks(self, name: str, limit: int) -> Iterator[bytes]:
        info = self._checked(name)
        total = 0
        try:
            with self._zip.open(info) as source:
                # The size that the archive declares may be wrong, so what is unpacked is counted.
                while chunk := source.read(_CHUNK):
                    total += len(chunk)
                    if total > limit:
                        raise RefusedItemError(f"{_shown(name)} has more than {round(limit / 1_000_000, 1):g} MB.")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise RefusedItemError(f"{_shown(name)} is damaged in the archive.") from error

    def _checked(self, name: str) -> zipfile.ZipInfo:
        info = self._files.get(name)
        if info is None:
            raise RefusedItemError(f"{_shown(name)} is not in the archive.")
        if name in self._repeated:
            raise RefusedItemError(f"{_shown(name)} is in the archive more than once.")
        if info.flag_bits & _ENCRYPTED:
            raise RefusedItemError(f"{_shown(name)} is encrypted. Make an archive without a password.")
        if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
            raise RefusedItemError(f"{_shown(name)} is not a file.")
        if info.compress_type not in _METHODS:
            # Others may need any amount of memory.
            raise RefusedItemError(f"{_shown(name)} is compressed in a way that is not supported.")
        return info


def _shown(name: str) -> str:
    """Return a name for a message: printable, and not long."""
    printable = "".join(symbol if symbol.isprintable() else "?" for symbol in name)
    return printable if len(printable) <= 80 else f"…{printable[-79:]}"


def _check_directory(file: BinaryIO) -> None:
    """Raise `BadArchiveError` if the directory is too large to be held in memory, and `ValueError` if there is none."""
    size = file.seek(0, 2)
    start = max(0, size - _END.size - _LONGEST_COMMENT - _LOCATOR.size)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        raise ValueError("no end of a directory")
    entries, length = _END.unpack_from(tail, at)[4:6]
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(_LOCATOR_SIGNATURE):
        file.seek(_LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2])
        record = file.read(_LARGE_END.size)
        if len(record) < _LARGE_END.size or not record.startswith(_LARGE_END_SIGNATURE):
            raise ValueError("no end of a large directory")
        entries, length = _LARGE_END.unpack(record)[7:9]
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise BadArchiveError(
            f"The archive has {entries:,} files. It may have up to {MAX_ENTRIES:,}: divide it into several."
        )
