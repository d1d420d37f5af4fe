"""Deletion of uploads that have expired, of their objects, and of objects that no upload has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from storage.blobs.keys import incoming_prefix
from storage.blobs.port import Blobs
from storage.ids import BadIdError, decode, encode
from storage.postgres.database import Database
from storage.stores.photos import uploads

_BATCH = 100  # expired uploads of one turn
# An object is written before its upload's row says so, and a deleted account's rows are deleted before their objects.
_UNCLAIMED_AFTER = timedelta(hours=25)


async def remove_uploads(db: Database, blobs: Blobs, upload_ids: Iterable[int]) -> None:
    """Delete uploads: their objects first, then their rows, so that a crash in between leaves what is tried again."""
    for upload_id in upload_ids:
        await blobs.delete([blob.key async for blob in blobs.list(incoming_prefix(encode(upload_id)))])
        await uploads.delete(db, upload_id)


async def expire_uploads(db: Database, blobs: Blobs) -> int:
    """Delete all expired uploads and return their number."""
    removed = 0
    while expired := await uploads.expired(db, limit=_BATCH):
        await remove_uploads(db, blobs, expired)
        removed += len(expired)
    return removed


async def remove_unclaimed(db: Database, blobs: Blobs) -> int:
    """Delete old objects under `incoming/` whose upload has no row, and return their number."""
    removed, limit = 0, datetime.now(UTC) - _UNCLAIMED_AFTER
    async for blob in blobs.list("incoming/"):
        if blob.modified < limit and not await _is_claimed(db, blob.key):
            await blobs.delete([blob.key])
            removed += 1
    return removed


async def _is_claimed(db: Database, key: str) -> bool:
    try:
        return await uploads.exists(db, decode(key.split("/")[1]))
    except BadIdError:
        return False
