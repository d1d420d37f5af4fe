"""Originals in the stores, posted as the API does, and everything that a test can find of them afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from server.actions.posting import PhotoDetails, StagedPhoto, finalise, post_photo, store_pictures
from storage.blobs.content_types import HEAD, recognised_type
from storage.blobs.file import FileBlobs
from storage.blobs.port import BlobInfo, Blobs
from storage.media_types import VIDEO_TYPES
from storage.models import Photo, User
from storage.postgres.database import Database

DETAILS = PhotoDetails(caption="", tags=(), location=None)
LEASES_AGE = "UPDATE content_leases SET expires_at = expires_at - $1::interval"
REMOVALS_AGE = "UPDATE contents SET deleting_since = deleting_since - $1::interval"


class CrashError(Exception):
    """The end of the process at a certain step."""


class CrashingBlobs(FileBlobs):
    """A file store whose process ends before, during or after the operation number `at`, counted from 0."""

    def __init__(self, root: Path, moment: str, at: int = 0) -> None:
        super().__init__(root)
        self._moment = moment
        self._left = at

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a file, or crash."""
        crashes = self._step()
        await super().put_file(key, path, content_type=content_type)
        _crash_if(crashes)

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store bytes, or crash."""
        crashes = self._step()
        await super().put(key, data, content_type=content_type)
        _crash_if(crashes)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, or crash; each of them is an operation."""
        for key in keys:
            crashes = self._step()
            await super().delete([key])
            _crash_if(crashes)

    def _step(self) -> bool:
        self._left -= 1
        if self._left != -1:
            return False
        if self._moment == "during":
            self.temporary.mkdir(parents=True, exist_ok=True)
            (self.temporary / "half").write_bytes(b"half of it")
        _crash_if(self._moment != "after")
        return True


class PoolWatchingBlobs(FileBlobs):
    """A file store that uses the one connection of a database's pool in every operation.

    An operation that is called while that connection is held never gets it, and fails.
    """

    def __init__(self, root: Path, database: Database) -> None:
        super().__init__(root)
        self._database = database
        self.operations: list[str] = []

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a file."""
        await self._use_pool("put_file")
        await super().put_file(key, path, content_type=content_type)

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store bytes."""
        await self._use_pool("put")
        await super().put(key, data, content_type=content_type)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        await self._use_pool("delete")
        await super().delete(keys)

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Iterate over objects."""
        await self._use_pool("list")
        async for info in super().list(prefix):
            yield info

    async def _use_pool(self, operation: str) -> None:
        await self._database.fetchval("SELECT 1")
        self.operations.append(operation)


@dataclass(frozen=True, kw_only=True)
class Remains:
    """What the stores still have of originals: files of all kinds, states of contents, leases and photos."""

    files: int
    contents: tuple[str, ...]
    leases: int
    photos: int


NOTHING = Remains(files=0, contents=(), leases=0, photos=0)


def staged(data: bytes, source: Path | None = None) -> StagedPhoto:
    """Return an original whose header has been read."""
    return StagedPhoto(
        source=source or data,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        content_type=recognised if (recognised := recognised_type(data[:HEAD])) in VIDEO_TYPES else "image/jpeg",
        width=1,
        height=1,
    )


async def post(database: Database, blobs: Blobs, author: User, data: bytes) -> Photo:
    """Post a photo."""
    return await post_photo(database, blobs, staged(data), author_id=author.id, details=DETAILS)


async def post_several(database: Database, blobs: Blobs, author: User, *pictures: bytes) -> Photo:
    """Post a photo of several pictures, with texts that name their places."""
    staging = [(staged(data), f"picture {place}") for place, data in enumerate(pictures)]
    stored = await store_pictures(database, blobs, staging)
    async with database.transaction() as tx:
        return await finalise(tx, stored, author_id=author.id, details=DETAILS)


async def remains(database: Database, blobs: FileBlobs) -> Remains:
    """Return what is left in the database and in the file store."""
    rows = await database.fetch("SELECT state FROM contents ORDER BY sha256")
    return Remains(
        files=sum(1 for _ in _files(blobs)),
        contents=tuple(row["state"] for row in rows),
        leases=await database.fetchval("SELECT count(*) FROM content_leases"),
        photos=await database.fetchval("SELECT count(*) FROM photos WHERE deleted_at IS NULL"),
    )


def _files(blobs: FileBlobs) -> Iterable[Path]:
    return (path for path in blobs.temporary.parent.rglob("*") if path.is_file())


def _crash_if(crashes: bool) -> None:
    if crashes:
        raise CrashError
