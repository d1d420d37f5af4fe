"""The intake of imports: files are checked as uploads are, and posted by the same steps."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.actions.posting import PhotoDetails, StagedPhoto, finalise, store_pictures
from server.edge.problem import ProblemError
from server.media.image_checks import UploadLimits, checked_header, too_large
from server.media.video_checks import HEAD, VideoUploadLimits, checked_video, is_video
from storage.blobs.port import Blobs
from storage.holds import HoldPolicy
from storage.postgres.database import Database, Transaction
from workers.imports.port import AcceptedFile, ImportedPhoto, RefusedItemError


class PostingIntake:
    """Checks and posts files as the API does."""

    def __init__(
        self, db: Database, blobs: Blobs, images: UploadLimits, videos: VideoUploadLimits, *, hold: HoldPolicy
    ) -> None:
        self._db = db
        self._hold = hold
        self._blobs = blobs
        self._images = images
        self._videos = videos

    @property
    def max_file_bytes(self) -> int:
        """Return the bytes of the largest file that is accepted, of whatever type."""
        return max(self._images.max_bytes, self._videos.max_bytes if self._videos.accepted else 0)

    async def accept(self, path: Path) -> AcceptedFile:
        """Check a file; raise `RefusedItemError` with the text that an upload of it would get."""
        try:
            return await asyncio.to_thread(self._accept, path)
        except ProblemError as error:
            raise RefusedItemError(error.detail) from error

    async def post(self, photo: ImportedPhoto, record: Callable[[Transaction, int], Awaitable[None]]) -> None:
        """Store the originals and create the photo; see the port."""
        stored = await store_pictures(self._db, self._blobs, [(_staged(file), text) for file, text in photo.pictures])
        details = PhotoDetails(
            caption=photo.caption,
            tags=photo.tags,
            location=photo.location,
            taken_at=photo.taken_at,
            audience=photo.audience,
            sensitive=photo.sensitive,
            origin=photo.origin,
        )
        async with self._db.transaction() as tx:
            created = await finalise(tx, stored, author_id=photo.author_id, details=details, hold=self._hold)
            await record(tx, created.id)

    def _accept(self, path: Path) -> AcceptedFile:
        size = path.stat().st_size
        with path.open("rb") as file:
            video = is_video(file.read(HEAD))
            limit = self._videos.max_bytes if video else self._images.max_bytes
            if size > limit:
                raise too_large(limit, "video/mp4" if video else "")
            file.seek(0)
            header = checked_video(path, self._videos) if video else checked_header(file, self._images)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return AcceptedFile(
            path=path,
            sha256=sha256,
            size=size,
            content_type=header.content_type,
            width=header.width,
            height=header.height,
        )


def _staged(file: AcceptedFile) -> StagedPhoto:
    return StagedPhoto(
        source=file.path,
        sha256=file.sha256,
        size=file.size,
        content_type=file.content_type,
        width=file.width,
        height=file.height,
    )
