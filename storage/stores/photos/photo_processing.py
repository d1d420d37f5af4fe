"""The end of a photo's processing: ready or rejected; and those whose event was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from storage.events import (
    PhotoHeld,
    PhotoImported,
    PhotoReady,
    PhotoRejected,
    PhotoUploaded,
    VideoUploaded,
)
from storage.media_types import VIDEO_TYPES
from storage.models import Video
from storage.postgres.database import Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores.discovery import search_index
from storage.stores.photos import import_items, photo_exif, photo_items, photo_moderation, photos
from storage.stores.photos.photo_items import DecodedItem

_PHOTO = f"shard = {shard('$1')} AND id = $1"


async def mark_ready(
    tx: Transaction,
    photo_id: int,
    *,
    width: int,
    height: int,
    placeholder: str | None,
    exif: dict[str, Any] | None,
    suggestions: Mapping[str, str] | None = None,
    taken_at: datetime | None = None,
    hdr: bool = False,
    motion: str | None = None,
    video: Video | None = None,
    items: Sequence[DecodedItem] = (),
) -> bool:
    """Mark a photo as ready, with its upright size; emits `PhotoReady`, `PhotoImported` or `PhotoHeld`.

    `hdr` says that its JPEGs have a gain map, `motion` is the format of an animation's variant with all frames, `video`
    describes the one that is played. Of several pictures, `items` are all, and the EXIF is stored with them. `taken_at`
    does not replace what the author has said meanwhile. Return False unless it was processing, and once its author's
    account is deleted.
    """
    author = await photos.lock_author(tx, photo_id)
    if author is None:
        return False
    row = await tx.fetchrow(
        f"""
        UPDATE photos SET state = CASE WHEN moderation ->> 'action' IN ('hold', 'hide') THEN 'hidden' ELSE 'ready' END,
            width = $2, height = $3, placeholder = $4, taken_at = coalesce(taken_at, $5), hdr = $6,
            motion = $7, video = $8
        WHERE {_PHOTO} AND state = 'processing' AND deleted_at IS NULL RETURNING audience, state, import_id""",
        photo_id,
        width,
        height,
        placeholder,
        taken_at,
        hdr,
        motion,
        None if video is None else asdict(video),
    )
    if row is None:
        return False
    if items:
        await photo_items.finish(tx, photo_id, items, location=author.location)
        exif = None  # it is kept with the pictures
    await photo_exif.store(tx, photo_id, exif or {}, location=author.location, suggestions=suggestions or {})
    if row["state"] == "hidden":
        await photo_moderation.begin_holds(tx, photo_id)
        tx.emit(PhotoHeld(photo_id=photo_id, author_id=author.id))
        return True
    await _count(tx, author.id, photo_id, counted=row["audience"] in photos.COUNTED)
    ready = PhotoReady if row["import_id"] is None else PhotoImported
    tx.emit(ready(photo_id=photo_id, author_id=author.id))
    return True


async def _count(tx: Transaction, author_id: int, photo_id: int, *, counted: bool) -> None:
    """Have the tags of a photo counted, and count the photo itself where its audience permits."""
    await tx.execute(
        f"""
        WITH marked AS (
            INSERT INTO tag_recounts (shard, tag)
            SELECT shard, tag FROM photo_tags WHERE shard = {shard("$1")} AND photo_id = $2 ORDER BY tag
            {search_index.MARK})
        UPDATE users SET photos = photos + $3 WHERE shard = {shard("$1")} AND id = $1""",
        author_id,
        photo_id,
        int(counted),
    )


async def mark_rejected(tx: Transaction, photo_id: int, *, reason: str) -> bool:
    """Mark a photo as rejected; emits `PhotoRejected`. Return False unless it was processing.

    That of an import is a failed item of it instead.
    """
    row = await tx.fetchrow(
        "UPDATE photos SET state = 'rejected', reason = $2 "
        f"WHERE {_PHOTO} AND state = 'processing' AND deleted_at IS NULL RETURNING author_id, import_id",
        photo_id,
        reason,
    )
    if row is None:
        return False
    if row["import_id"] is None:
        tx.emit(PhotoRejected(photo_id=photo_id, author_id=row["author_id"]))
    else:
        await import_items.reject(tx, row["import_id"], photo_id, reason)
    return True


async def requeue_stuck(tx: Transaction, *, older_than: timedelta, younger_than: timedelta, limit: int = 100) -> int:
    """Emit `PhotoUploaded` or `VideoUploaded` again for the oldest photos in state `processing`; return their number.

    Their age lies between the two. Their event was lost or is among the dead letters.
    """
    rows = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT id, author_id, content_type FROM photos
        WHERE state = 'processing' AND deleted_at IS NULL
          AND created_at < now() - $1::interval AND created_at > now() - $2::interval
        ORDER BY created_at LIMIT $3""",
        older_than,
        younger_than,
        limit,
    )
    _emit_uploads(tx, rows)
    return len(rows)


async def requeue_all(tx: Transaction, author_id: int) -> None:
    """Emit `PhotoUploaded` or `VideoUploaded` again for an author's photos in state `processing`."""
    rows = await tx.fetch(
        f"SELECT id, author_id, content_type FROM photos WHERE shard = {shard('$1')} AND author_id = $1 "
        "AND state = 'processing' AND deleted_at IS NULL ORDER BY id",
        author_id,
    )
    _emit_uploads(tx, rows)


def _emit_uploads(tx: Transaction, rows: Sequence[Row]) -> None:
    for row in rows:
        topic = VideoUploaded if row["content_type"] in VIDEO_TYPES else PhotoUploaded
        tx.emit(topic(photo_id=row["id"], author_id=row["author_id"]))
