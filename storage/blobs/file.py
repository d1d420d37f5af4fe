"""Blobs as files in one directory; every call does its I/O in a thread.

An object appears by a rename. Its bytes are first written under a temporary name in the same file system and
synced, and its directory is synced afterwards, so that a crash leaves the whole object or none.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from storage.blobs.content_types import HEAD, recognised_type
from storage.blobs.held_files import move_aside
from storage.blobs.keys import is_key, is_prefix
from storage.blobs.port import Blob, BlobInfo
from storage.errors import FullError, NotFoundError, UnavailableError

CHUNK = 256 * 1024  # bytes
ATTEMPTS = 10  # to put a blob into a directory that concurrent deletions remove
TEMPORARY = "tmp"  # the directory of files that are not objects yet; uploads are written there as well
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS}  # hard links are not possible


class FileBlobs:
    """The blob store in the directory `root`; see `storage.blobs.port.Blobs` for its guarantees."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.temporary = root / TEMPORARY

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:  # noqa: ARG002 - read from the bytes
        """Move a file in, or copy it from another file system."""
        await asyncio.to_thread(self._put_file, self._target(key), path)

    async def put(
        self,
        key: str,
        data: bytes | AsyncIterator[bytes],
        *,
        content_type: str,  # noqa: ARG002 - read from the bytes
    ) -> None:
        """Store bytes."""
        target = self._target(key)
        if isinstance(data, bytes):
            await asyncio.to_thread(self._put, target, data)
        else:
            await self._put_stream(target, data)

    async def open(self, key: str) -> Blob:
        """Return an object; its `chunks` raise `NotFoundError` if it has been deleted meanwhile."""
        path = self._existing(key)
        info = await asyncio.to_thread(_describe, key, path)

        def chunks(start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            return _chunks(path, start, info.size if end is None else end)

        return Blob(size=info.size, content_type=info.content_type, modified=info.modified, path=path, chunks=chunks)

    async def head(self, key: str) -> BlobInfo:
        """Return what is known of an object."""
        return await asyncio.to_thread(_describe, key, self._existing(key))

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object by a hard link where the file system has them."""
        return await asyncio.to_thread(self._copy, self._existing(source), self._target(target))

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Iterate over the objects of a directory and those below it."""
        for key in await asyncio.to_thread(self._keys, prefix):
            try:
                yield await self.head(key)
            except NotFoundError:
                continue  # it has been deleted meanwhile

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and their directories if they are empty then."""
        for key in keys:
            if is_key(key):
                await asyncio.to_thread(_delete, self._root, key)

    async def sweep(self, older_than: float) -> int:
        """Delete temporary files that were last written more than `older_than` seconds ago; return their number."""
        return await asyncio.to_thread(sweep, self.temporary, older_than)

    def _target(self, key: str) -> Path:
        if not is_key(key):
            raise ValueError(f"not a key of a blob: {key!r}")
        return self._root / key

    def _existing(self, key: str) -> Path:
        if not is_key(key):
            raise NotFoundError("blob")
        return self._root / key

    def _put_file(self, target: Path, source: Path) -> None:
        with _disk_errors():
            if _same_device(source, self._root):
                _sync(source)
                _move(source, target)
                return
            with self._copied(source) as path:
                _move(path, target)

    def _put(self, target: Path, data: bytes) -> None:
        with _disk_errors(), self._temporary_file() as path:
            path.write_bytes(data)
            _sync(path)
            _move(path, target)

    async def _put_stream(self, target: Path, chunks: AsyncIterator[bytes]) -> None:
        with _disk_errors(), self._temporary_file() as path:
            with path.open("xb") as writer:
                async for chunk in chunks:
                    await asyncio.to_thread(writer.write, chunk)
            await asyncio.to_thread(_sync, path)
            await asyncio.to_thread(_move, path, target)

    def _copy(self, source: Path, target: Path) -> bool:
        if not source.is_file():
            raise NotFoundError("blob")
        with _disk_errors():
            try:
                return _publish(target, lambda: _link(source, target), source=source)
            except FileNotFoundError:
                raise NotFoundError("blob") from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # Not atomic: of two copies at once both may be made, and the later one stays.
                if target.is_file():
                    return False
                with self._copied(source) as path:
                    _move(path, target)
        return True

    def _keys(self, prefix: str) -> Sequence[str]:
        if not is_prefix(prefix):
            return []
        with _disk_errors():
            return sorted(path.relative_to(self._root).as_posix() for path in _files(self._root / prefix))

    @contextmanager
    def _copied(self, source: Path) -> Iterator[Path]:
        with source.open("rb") as reader, self._temporary_file() as path:
            with path.open("xb") as writer:
                shutil.copyfileobj(reader, writer, CHUNK)
            _sync(path)
            yield path

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


def _describe(key: str, path: Path) -> BlobInfo:
    try:
        with path.open("rb") as file:
            head, status = file.read(HEAD), os.fstat(file.fileno())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFoundError("blob") from None
    except OSError as error:
        raise UnavailableError("blobs", error.strerror or str(error)) from error
    return BlobInfo(
        key=key,
        size=status.st_size,
        content_type=recognised_type(head),
        modified=datetime.fromtimestamp(status.st_mtime, UTC),
    )


async def _chunks(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise NotFoundError("blob") from None
    try:
        await asyncio.to_thread(file.seek, start)
        while chunk := await asyncio.to_thread(file.read, min(CHUNK, end - start)):
            yield chunk
            start += len(chunk)
    finally:
        file.close()


def _delete(root: Path, key: str) -> None:
    path = root / key
    with _disk_errors():
        if not move_aside(root, key):
            path.unlink(missing_ok=True)
    for folder in list(path.parents)[:3]:
        # A directory with other objects stays; a writer creates a deleted one again.
        try:
            folder.rmdir()
        except OSError:
            return


def _move(source: Path, target: Path) -> None:
    _publish(target, lambda: bool(source.replace(target)), source=source)


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True


def _publish(target: Path, place: Callable[[], bool], *, source: Path) -> bool:
    """Return what `place` returns, which makes `target` appear from `source`; its directory exists."""
    for attempt in range(ATTEMPTS):
        try:
            _make_directory(target.parent)
            placed = place()
        except (FileNotFoundError, FileExistsError):
            # A concurrent deletion may remove the empty directory before `place`, or while it is being checked.
            if attempt == ATTEMPTS - 1 or not source.exists():
                raise
        else:
            # A deletion right afterwards may already have removed the object and its directory.
            with suppress(FileNotFoundError):
                _sync(target.parent)
            return placed
    raise AssertionError("the last attempt returns or raises")


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


def _files(folder: Path) -> Iterator[Path]:
    """Iterate over the files of a directory and those below it; what is deleted meanwhile is left out."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _same_device(source: Path, root: Path) -> bool:
    return source.stat().st_dev == next(path for path in (root, *root.parents) if path.exists()).stat().st_dev


def sweep(folder: Path, older_than: float) -> int:
    """Delete files of a directory that were last written more than `older_than` seconds ago; return their number."""
    removed, limit = 0, time.time() - older_than
    for path in folder.glob("*"):
        try:
            if path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # another process has deleted it, or it has become an object
    return removed
