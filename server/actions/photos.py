"""Post, edit and delete photos.

A photo is posted in four steps: stage the bytes, lease their content (`storage.stores.contents`), store the blob
outside any transaction, and create the photo and its event in the short transaction of `finalise`. A crash before the
commit leaves a lease that expires, after which the janitor removes what was stored. Every kind of upload ends in
`finalise`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.blobs.port import Blobs, original_key
from storage.cache.cards import Cards
from storage.errors import UnavailableError
from storage.models import Photo
from storage.postgres.database import Database, Transaction
from storage.stores import contents, photos
from storage.stores.contents import Lease

POST_QUOTA = "uploads"
EDIT_QUOTA = "writes"

REMOVAL_DEADLINE = 10.0  # seconds to wait while the same content is being removed
STORE_TIMEOUT = 600.0  # seconds; much shorter than a lease, which protects the blob while it is written
_POLL = (0.02, 0.5)  # seconds: the first and the longest pause between two attempts


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedPhoto:
    """An original that is checked but not stored yet: its bytes or their file, and the data of its header.

    The blob store may move the file. `sha256` is in hex, `size` in bytes, `width` and `height` in pixels.
    """

    source: Path | bytes
    sha256: str
    size: int
    content_type: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoDetails:
    """The author's description of a photo."""

    caption: str
    alt_text: str
    tags: Sequence[str]
    location: str | None


class PhotoActions:
    """Changes of the viewer's own photos; both methods raise `NotFoundError("photo")` for any other photo."""

    def __init__(self, db: Database, cards: Cards) -> None:
        self._db = db
        self._cards = cards

    async def edit(
        self,
        viewer_id: int,
        photo_id: int,
        *,
        caption: str | None = None,
        alt_text: str | None = None,
        tags: Sequence[str] | None = None,
        location: str | None = None,
    ) -> tuple[Photo, bool]:
        """Change the fields that are not None; an empty `location` removes it.

        Return the photo, and whether the viewer likes it.
        """
        async with self._db.transaction() as tx:
            edited = await photos.edit(
                tx, photo_id, author_id=viewer_id, caption=caption, alt_text=alt_text, tags=tags, location=location
            )
            tx.on_commit(lambda: self._cards.invalidate([photo_id]))
        return edited

    async def delete(self, viewer_id: int, photo_id: int) -> None:
        """Delete a photo: it disappears from every feed at once, and workers remove the images."""
        async with self._db.transaction() as tx:
            await photos.delete(tx, photo_id, author_id=viewer_id)
            # The tombstone also keeps out a fan-out of the photo that is under way.
            tx.on_commit(lambda: self._cards.tombstone(photo_id))


async def post_photo(
    db: Database, blobs: Blobs, staged: StagedPhoto, *, author_id: int, details: PhotoDetails
) -> Photo:
    """Store an original and create its photo in state `processing`; raise `NotFoundError` or `UnavailableError`."""
    lease = await store(db, blobs, staged)
    async with db.transaction() as tx:
        return await finalise(tx, lease, staged, author_id=author_id, details=details)


async def store(
    db: Database,
    blobs: Blobs,
    staged: StagedPhoto,
    *,
    removal_deadline: float = REMOVAL_DEADLINE,
    timeout: float = STORE_TIMEOUT,
) -> Lease:
    """Store an original and return the lease under which `finalise` creates its photo.

    Raises `UnavailableError` when the blob store takes longer than `timeout`, or when a removal of the same content is
    not over after `removal_deadline` (both in seconds).
    """
    lease = await _lease(db, staged, removal_deadline)
    key = original_key(staged.sha256)
    try:
        async with asyncio.timeout(timeout):
            if isinstance(staged.source, Path):
                await blobs.put_file(key, staged.source, content_type=staged.content_type)
            else:
                await blobs.put(key, staged.source, content_type=staged.content_type)
    except TimeoutError as error:
        raise UnavailableError("blobs", f"the original was not stored within {timeout:g} s") from error
    return lease


async def finalise(
    tx: Transaction, lease: Lease, staged: StagedPhoto, *, author_id: int, details: PhotoDetails
) -> Photo:
    """Create the photo of a stored original and end the lease; emits `PhotoUploaded`.

    Raises `UnavailableError` if the lease has expired and the original may be gone: the upload has to be repeated.
    """
    await contents.complete(tx, lease)
    return await photos.create(
        tx,
        author_id=author_id,
        sha256=staged.sha256,
        content_type=staged.content_type,
        bytes=staged.size,
        width=staged.width,
        height=staged.height,
        caption=details.caption,
        alt_text=details.alt_text,
        tags=details.tags,
        location=details.location or None,
    )


async def _lease(db: Database, staged: StagedPhoto, deadline: float) -> Lease:
    loop = asyncio.get_running_loop()
    end, (pause, longest) = loop.time() + deadline, _POLL
    while True:
        lease = await contents.acquire(db, sha256=staged.sha256, size=staged.size, content_type=staged.content_type)
        if lease is not None:
            return lease
        if loop.time() + pause > end:
            raise UnavailableError("blobs", "the same original is being removed")
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)
