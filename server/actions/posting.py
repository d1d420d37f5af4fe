"""Post photos: from staged bytes to a stored original, and to the photo in the database.

A photo is posted in four steps: stage the bytes, lease their content (`storage.stores.media.contents`), store the blob
outside any transaction, and create the photo and its event in the short transaction of `finalise`. A crash before the
commit leaves a lease that expires, after which the janitor removes what was stored. Every kind of upload ends in
`finalise`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storage.blobs.keys import original_key
from storage.blobs.port import Blobs
from storage.errors import UnavailableError
from storage.holds import HoldPolicy
from storage.imports import PhotoOrigin
from storage.models import Photo, PhotoAudience, PhotoItem
from storage.postgres.database import Database, Transaction
from storage.stores.media import contents, new_photos
from storage.stores.media.contents import Lease
from storage.stores.photos import photo_items, photos, uploads

POST_QUOTA = "uploads"

REMOVAL_DEADLINE = 10.0  # seconds to wait while the same content is being removed
STORE_TIMEOUT = 600.0  # seconds; much shorter than a lease, which protects the blob while it is written
_NO_HOLD = HoldPolicy()
_POLL = (0.02, 0.5)  # seconds: the first and the longest pause between two attempts


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the blob store that is to be copied, and whose hash the store or the caller has verified."""

    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedPhoto:
    """An original that is checked but not stored yet: its bytes, their file or object, and the data of its header.

    The blob store may move the file. `sha256` is in hex, `size` in bytes, `width` and `height` in pixels.
    """

    source: Path | bytes | StoredObject
    sha256: str
    size: int
    content_type: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPicture:
    """A picture whose original is stored, the lease that keeps it, and the author's description of it."""

    staged: StagedPhoto
    lease: Lease
    alt_text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoDetails:
    """The author's description of a photo, apart from that of each picture, who may see it, and where it comes from."""

    caption: str
    tags: Sequence[str]
    location: str | None
    taken_at: datetime | None = None
    audience: PhotoAudience = PhotoAudience.PUBLIC
    sensitive: bool = False
    origin: PhotoOrigin | None = None


async def post_photo(
    db: Database, blobs: Blobs, staged: StagedPhoto, *, author_id: int, details: PhotoDetails, alt_text: str = ""
) -> Photo:
    """Store an original and create its photo in state `processing`; raise `NotFoundError` or `UnavailableError`."""
    (stored,) = await store_pictures(db, blobs, [(staged, alt_text)])
    async with db.transaction() as tx:
        return await finalise(tx, [stored], author_id=author_id, details=details)


async def store_pictures(
    db: Database, blobs: Blobs, pictures: Sequence[tuple[StagedPhoto, str]], *, timeout: float = STORE_TIMEOUT
) -> list[StoredPicture]:
    """Store the originals of a photo's pictures, which have their alternative texts with them; raises as `store` does.

    All together may take as long as one, because their leases begin with the first.
    """
    try:
        async with asyncio.timeout(timeout):
            return [
                StoredPicture(staged=staged, lease=await store(db, blobs, staged), alt_text=alt_text)
                for staged, alt_text in pictures
            ]
    except TimeoutError as error:
        raise UnavailableError("blobs", f"the originals were not stored within {timeout:g} s") from error


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
            if isinstance(staged.source, StoredObject):
                # An original that is there already has the same bytes, so it does not matter which of both stays.
                await blobs.copy(staged.source.key, key)
            elif isinstance(staged.source, Path):
                await blobs.put_file(key, staged.source, content_type=staged.content_type)
            else:
                await blobs.put(key, staged.source, content_type=staged.content_type)
    except TimeoutError as error:
        raise UnavailableError("blobs", f"the original was not stored within {timeout:g} s") from error
    return lease


async def finalise(
    tx: Transaction,
    pictures: Sequence[StoredPicture],
    *,
    author_id: int,
    details: PhotoDetails,
    upload_ids: Sequence[int] = (),
    hold: HoldPolicy = _NO_HOLD,
) -> Photo:
    """Create the photo of stored pictures, each another one, and end the leases; emits `PhotoUploaded`.

    It is held if `hold` says so.

    `upload_ids` are the uploads that the pictures come from, which are used then; raises `ConflictError` upload_used.
    Raises `UnavailableError` if a lease has expired and the original may be gone: the upload has to be repeated.
    """
    # In one order, since two requests may name the same uploads.
    for upload_id in sorted(upload_ids):
        await uploads.use(tx, upload_id)
    # Two photos with the same pictures lock their contents in the same order.
    for lease in sorted((picture.lease for picture in pictures), key=lambda lease: lease.sha256):
        await contents.complete(tx, lease)
    items = [_item(picture) for picture in pictures]
    first = items[0]
    photo = await photos.create(
        tx,
        author_id=author_id,
        sha256=first.sha256,
        content_type=first.content_type,
        bytes=first.bytes,
        width=first.width,
        height=first.height,
        caption=details.caption,
        alt_text=first.alt_text,
        tags=details.tags,
        location=details.location or None,
        taken_at=details.taken_at,
        audience=details.audience,
        sensitive=details.sensitive,
        origin=details.origin,
    )
    if len(items) > 1:
        photo = await photo_items.add(tx, photo, items)
    return await new_photos.hold(tx, photo, hold)


def _item(picture: StoredPicture) -> PhotoItem:
    staged = picture.staged
    return PhotoItem(
        sha256=staged.sha256,
        content_type=staged.content_type,
        bytes=staged.size,
        width=staged.width,
        height=staged.height,
        alt_text=picture.alt_text,
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
