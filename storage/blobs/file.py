"""Blobs as files in one directory; every call does its I/O in a thread.

An object appears by a rename. Its bytes are first written under a temporary name in the same file system and
synced, and its directory is synced afterwards, so that a crash leaves the whole object or none.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.blobs.port import Blob
from storage.errors import FullError, NotFoundError, UnavailableError

CHUNK = 256 * 1024  # bytes
ATTEMPTS = 10  # to put a blob into a directory that concurrent deletions remove
TEMPORARY = "tmp"  # the directory of files that are not objects yet; uploads are written there as well
_FULL = {errno.ENOSPC, errno.EDQUOT}
_KEY = re.compile(r"[a-z]+(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){1,8}", re.ASCII)
_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


class FileBlobs:
    """The blob store in the directory `root`; see `storage.blobs.port.Blobs` for its guarantees."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.temporary = root / TEMPORARY

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:  # noqa: ARG002 - read from the bytes
        """Move a file in, or copy it from another file system."""
        await asyncio.to_thread(self._put_file, self._target(key), path)

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:  # noqa: ARG002 - read from the bytes
        """Store bytes."""
        await asyncio.to_thread(self._put, self._target(key), data)

    async def open(self, key: str) -> Blob:
        """Return an object; its `chunks` raise `NotFoundError` if it has been deleted meanwhile."""
        if not _KEY.fullmatch(key):
            raise NotFoundError("blob")
        return await asyncio.to_thread(_describe, self._root / key)

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under a key."""
        return _KEY.fullmatch(key) is not None and await asyncio.to_thread((self._root / key).is_file)

    async def delete(self, key: str) -> None:
        """Delete an object, and its directories if they are empty then."""
        if _KEY.fullmatch(key):
            await asyncio.to_thread(_delete, self._root / key)

    async def sweep(self, older_than: float) -> int:
        """Delete temporary files that were last written more than `older_than` seconds ago; return their number."""
        return await asyncio.to_thread(_sweep, self.temporary, older_than)

    def _target(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key of a blob: {key!r}")
        return self._root / key

    def _put_file(self, target: Path, source: Path) -> None:
        with _disk_errors():
            if _same_device(source, self._root):
                _sync(source)
                _publish(source, target)
                return
            with source.open("rb") as reader, self._temporary_file() as path:
                with path.open("xb") as writer:
                    shutil.copyfileobj(reader, writer, CHUNK)
                _sync(path)
                _publish(path, target)

    def _put(self, target: Path, data: bytes) -> None:
        with _disk_errors(), self._temporary_file() as path:
            path.write_bytes(data)
            _sync(path)
            _publish(path, target)

    @contextmanager
    def _temporary_file(self) -> Iterator[Path]:
        _make_directory(self.temporary)
        path = self.temporary / secrets.token_hex(16)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        kind = FullError if error.errno in _FULL else UnavailableError
        raise kind("blobs", error.strerror or str(error)) from error


def _describe(path: Path) -> Blob:
    try:
        with path.open("rb") as file:
            head, size = file.read(8), os.fstat(file.fileno()).st_size
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFoundError("blob") from None
    except OSError as error:
        raise UnavailableError("blobs", error.strerror or str(error)) from error
    content_type = next((kind for magic, kind in _MAGIC if head.startswith(magic)), "application/octet-stream")
    return Blob(size=size, content_type=content_type, path=path, chunks=lambda: _chunks(path))


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise NotFoundError("blob") from None
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


def _delete(path: Path) -> None:
    with _disk_errors():
        path.unlink(missing_ok=True)
    for folder in list(path.parents)[:2]:
        # A directory with other objects stays; a writer creates a deleted one again.
        try:
            folder.rmdir()
        except OSError:
            return


def _publish(source: Path, target: Path) -> None:
    for attempt in range(ATTEMPTS):
        try:
            _make_directory(target.parent)
            source.replace(target)
        except (FileNotFoundError, FileExistsError):
            # A concurrent deletion may remove the empty directory before the rename, or while it is being checked.
            if attempt == ATTEMPTS - 1 or not source.exists():
                raise
        else:
            # A deletion right afterwards may already have removed the object and its directory.
            with suppress(FileNotFoundError):
                _sync(target.parent)
            return


def _make_directory(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_directory(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a directory, which is tolerated; for a file it is an error.
        if not path.is_dir() or error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _same_device(source: Path, root: Path) -> bool:
    return source.stat().st_dev == next(path for path in (root, *root.parents) if path.exists()).stat().st_dev


def _sweep(folder: Path, older_than: float) -> int:
    removed, limit = 0, time.time() - older_than
    for path in folder.glob("*"):
        try:
            if path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # another process has deleted it, or it has become an object
    return removed
