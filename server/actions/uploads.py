"""Uploads that arrive before their photo: announce, append, end, and turn into an original.

Whatever the way, the bytes wait as objects under `incoming/` in the blob store. `stage` makes one object of them whose
hash is known, and the photo is created like any other (`server.actions.photos`).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from storage.blobs.keys import incoming_key, part_key
from storage.blobs.port import Blobs
from storage.blobs.presign import Presigner, SignedRequest
from storage.errors import ConflictError, NotFoundError
from storage.ids import encode
from storage.postgres.database import Database
from storage.stores.photos import photo_contents, uploads
from storage.stores.photos.uploads import USED, Upload, UploadWay
from workers.jobs.media.uploads import remove_uploads

CREATE_QUOTA = "writes"

SIGNED_TTL = 15 * 60  # seconds in which the bytes of a signed upload must arrive
SIGNED_USE_TTL = timedelta(minutes=45)  # in which it must become a photo
TUS_TTL = timedelta(hours=24)
LEASE_TTL = timedelta(seconds=10)  # of a request that appends; renewed while bytes arrive
_UNKNOWN = "application/octet-stream"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedUpload:
    """A complete upload: the key of its object, the SHA-256 of its bytes in hex, and their number.

    `stored_at` is the store's time of an object that the client stored itself.
    """

    key: str
    sha256: str
    size: int
    stored_at: datetime | None = None


class UploadActions:
    """Uploads of the viewer; every method raises `NotFoundError("upload")` for another user's or an expired one."""

    def __init__(self, db: Database, blobs: Blobs, presigner: Presigner, *, tus_ttl: timedelta = TUS_TTL) -> None:
        self._tus_ttl = tus_ttl
        self._db = db
        self._blobs = blobs
        self._presigner = presigner

    async def announce_signed(
        self, viewer_id: int, *, content_type: str, size: int, sha256: str
    ) -> tuple[Upload, SignedRequest]:
        """Announce a file and return the request by which the client stores it.

        Raises `ConflictError` too_many_uploads.
        """
        async with self._db.transaction() as tx:
            upload = await uploads.create(
                tx,
                user_id=viewer_id,
                way=UploadWay.SIGNED,
                size=size,
                content_type=content_type,
                sha256=sha256,
                ttl=SIGNED_USE_TTL,
            )
        request = self._presigner.presign_put(
            incoming_key(encode(upload.id)),
            content_type=content_type,
            size=size,
            sha256=sha256,
            expires_in=SIGNED_TTL,
        )
        return upload, request

    async def duplicate(self, viewer_id: int, sha256: str) -> int | None:
        """Return the viewer's own ready photo with these bytes, if there is one.

        Photos of others do not count, and no bytes are skipped because of them: otherwise a hash alone would
        disclose that another user has a file, or give access to it.
        """
        return await photo_contents.ready_with_content(self._db, viewer_id, sha256)

    async def announce_resumable(self, viewer_id: int, *, size: int, metadata: str, sha256: str | None) -> Upload:
        """Announce a resumable upload; `sha256` (hex) is what the client says that the whole will have."""
        async with self._db.transaction() as tx:
            return await uploads.create(
                tx,
                user_id=viewer_id,
                way=UploadWay.TUS,
                size=size,
                metadata=metadata,
                sha256=sha256,
                ttl=self._tus_ttl,
            )

    async def get(self, viewer_id: int, upload_id: int) -> Upload:
        """Return an upload."""
        return await uploads.get(self._db, upload_id, user_id=viewer_id)

    async def begin_part(self, upload: Upload) -> int | None:
        """Lease an upload to append to it; return None while another request does."""
        return await uploads.acquire(self._db, upload.id, ttl=LEASE_TTL)

    async def renew(self, upload: Upload, lease: int) -> bool:
        """Extend a lease while bytes arrive; return False once another request has it."""
        return await uploads.renew(self._db, upload.id, lease, ttl=LEASE_TTL)

    async def end_part(
        self, upload: Upload, lease: int, path: Path, *, size: int, whole_sha256: str | None = None
    ) -> bool:
        """Store received bytes as a part and end the lease; return False if another request has the lease now.

        `whole_sha256` is the hash of bytes that are the whole upload.
        """
        key = part_key(encode(upload.id), upload.received, f"{lease:x}")
        await self._blobs.put_file(key, path, content_type=_UNKNOWN)
        appended = await uploads.append(
            self._db, upload.id, lease, offset=upload.received, key=key, size=size, whole_sha256=whole_sha256
        )
        if not appended:
            await self._blobs.delete([key])
        return appended

    async def cancel_part(self, upload: Upload, lease: int) -> None:
        """End a lease without a part."""
        await uploads.release(self._db, upload.id, lease)

    async def end(self, viewer_id: int, upload_id: int) -> None:
        """Delete an upload and its bytes."""
        upload = await uploads.get(self._db, upload_id, user_id=viewer_id)
        await remove_uploads(self._db, self._blobs, [upload.id])

    async def receive_signed(self, upload_id: int, path: Path, *, content_type: str) -> None:
        """Store the bytes of a signed upload; the caller has verified the signature and the bytes.

        Raises `ConflictError` upload_received if they were stored before.
        """
        if not await uploads.exists(self._db, upload_id):
            raise NotFoundError("upload")
        key = incoming_key(encode(upload_id))
        part = part_key(encode(upload_id), 0, secrets.token_hex(8))
        await self._blobs.put_file(part, path, content_type=content_type)
        stored = await self._blobs.copy(part, key)
        await self._blobs.delete([part])
        if not stored:
            raise ConflictError("upload_received", "This URL was used before. Announce the file again.")

    async def stage(self, viewer_id: int, upload_id: int) -> StagedUpload:
        """Return a complete upload as one object with a known hash.

        Raises `ConflictError`: upload_incomplete, upload_used, checksum_mismatch; and `NotFoundError("blob")` if the
        store has lost bytes that had arrived, see `remove_lost`.
        """
        upload = await uploads.get(self._db, upload_id, user_id=viewer_id)
        if upload.used:
            raise ConflictError("upload_used", USED)
        return await (self._stage_signed(upload) if upload.way is UploadWay.SIGNED else self._stage_tus(upload))

    async def remove_lost(self, viewer_id: int, upload_id: int) -> None:
        """Delete an upload whose bytes the store has lost, so that its client does not go on with it."""
        await self.end(viewer_id, upload_id)
        log.error("upload_lost", upload_id=encode(upload_id))

    async def _stage_signed(self, upload: Upload) -> StagedUpload:
        key = incoming_key(encode(upload.id))
        try:
            info = await self._blobs.head(key)
        except NotFoundError as error:
            raise _incomplete(0, upload.bytes) from error
        # The store has verified what the signature binds. This is for a store that does not keep its promise.
        if info.size != upload.bytes or upload.sha256 is None or info.sha256 not in {None, upload.sha256}:
            raise _mismatch()
        return StagedUpload(key=key, sha256=upload.sha256, size=upload.bytes, stored_at=info.modified)

    async def _stage_tus(self, upload: Upload) -> StagedUpload:
        if upload.received < upload.bytes:
            raise _incomplete(upload.received, upload.bytes)
        if len(upload.parts) == 1 and upload.received_sha256 is not None:
            key, sha256 = upload.parts[0], upload.received_sha256
        else:
            key, hashing = incoming_key(encode(upload.id)), hashlib.sha256()
            await self._blobs.put(key, self._hashed(upload.parts, hashing), content_type=_UNKNOWN)
            sha256 = hashing.hexdigest()
        if upload.sha256 not in {None, sha256}:
            raise _mismatch()
        return StagedUpload(key=key, sha256=sha256, size=upload.bytes)

    async def _hashed(self, keys: Sequence[str], hashing: hashlib._Hash) -> AsyncIterator[bytes]:
        for key in keys:
            blob = await self._blobs.open(key)
            async for chunk in blob.chunks():
                await asyncio.to_thread(hashing.update, chunk)
                yield chunk


def _incomplete(received: int, size: int) -> ConflictError:
    return ConflictError("upload_incomplete", f"{received:,} of {size:,} bytes have arrived. Send the rest first.")


def _mismatch() -> ConflictError:
    return ConflictError(
        "checksum_mismatch", "The bytes that arrived do not have the announced SHA-256. Upload the file again."
    )
