"""Photos: create, find, change and delete them.

Rows are locked in one order everywhere: accounts by id, then photos by id, then rows that belong to photos.
`users.photos` counts the photos that others can see: ready and not deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from storage import ids
from storage.errors import NotFoundError
from storage.events import PhotoDeferred, PhotoDeleted, PhotoReady, PhotoRejected, PhotoUploaded
from storage.models import Photo
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTO, PHOTOS, liked, photo_of
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores import inbox_lock

_RECENT = timedelta(hours=1)  # after which a photo is stuck, and the author's other photos do not wait behind it
_MAX_NOTIFICATIONS = 100  # that an event names: more than an inbox shows at once
_PHOTO = f"shard = {shard('$1')} AND id = $1"
_VIEWED = f"p.shard = {shard('$2')} AND p.id = $2"


async def create(
    tx: Transaction,
    *,
    author_id: int,
    sha256: str,
    content_type: str,
    bytes: int,  # noqa: A002 - the API's and the column's name
    width: int,
    height: int,
    caption: str,
    alt_text: str,
    tags: Sequence[str],
    location: str | None,
) -> Photo:
    """Create a photo in state `processing` in its author's shard; emits `PhotoUploaded` or `PhotoDeferred`.

    `sha256` is of the stored original, in hex. Tags keep their order; repeated ones are dropped. Raises
    `NotFoundError("user")` once the account is deleted.
    """
    row = await tx.insert(
        ids.shard_of(author_id),
        f"""
        WITH a AS (
            SELECT shard, id, username, display_name, avatar_sha256, private FROM users
            WHERE shard = {shard("$1")} AND id = $2 AND deleted_at IS NULL FOR KEY SHARE),
        p AS (
            INSERT INTO photos
                (shard, id, author_id, sha256, content_type, bytes, width, height, caption, alt_text, tags, location)
            SELECT a.shard, $1, a.id, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, '') FROM a
            ON CONFLICT (id, shard) DO NOTHING RETURNING *),
        tagged AS (
            INSERT INTO photo_tags (shard, photo_id, tag)
            SELECT p.shard, p.id, tag FROM p, jsonb_array_elements_text(p.tags) AS tag)
        SELECT {PHOTO} FROM p CROSS JOIN a""",
        author_id,
        sha256,
        content_type,
        bytes,
        width,
        height,
        caption,
        alt_text,
        list(dict.fromkeys(tags)),
        location,
    )
    if row is None:
        raise NotFoundError("user")
    photo = photo_of(row)
    topic = PhotoDeferred if await has_earlier_in_processing(tx, photo) else PhotoUploaded
    tx.emit(topic(photo_id=photo.id, author_id=author_id))
    return photo


async def get(db: Queryable, photo_id: int, *, viewer_id: int | None) -> Photo:
    """Return a photo that the viewer may see, their own in any state; else raise `NotFoundError("photo")`."""
    return (await get_with_like(db, photo_id, viewer_id=viewer_id))[0]


async def get_with_like(db: Queryable, photo_id: int, *, viewer_id: int | None) -> tuple[Photo, bool]:
    """Return a photo as `get` does, and whether the viewer likes it."""
    row = await db.fetchrow(
        f"SELECT {PHOTO}, {liked(shard('$2'))} FROM {PHOTOS} WHERE {_VIEWED} AND {readable(shard('$2'))}",
        viewer_id,
        photo_id,
    )
    if row is None:
        raise NotFoundError("photo")
    return photo_of(row), row["liked"]


async def load(db: Queryable, photo_ids: Sequence[int]) -> dict[int, Photo]:
    """Return photos in any state by id; deleted ones, and those of deleted authors, are left out."""
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM {PHOTOS} "
        "WHERE p.shard = ANY($1::integer[]) AND p.id = ANY($2::bigint[]) "
        "AND p.deleted_at IS NULL AND a.deleted_at IS NULL",
        shards(photo_ids),
        list(photo_ids),
    )
    return {row["id"]: photo_of(row) for row in rows}


async def lock(tx: Transaction, photo_id: int, *, viewer_id: int) -> int:
    """Lock a photo that the viewer may see, and return its author; raise `NotFoundError("photo")` for any other."""
    author_id: int | None = await tx.fetchval(
        f"SELECT p.author_id FROM {PHOTOS} WHERE {_VIEWED} AND {readable(shard('$2'))} FOR NO KEY UPDATE OF p",
        viewer_id,
        photo_id,
    )
    if author_id is None:
        raise NotFoundError("photo")
    return author_id


async def mark_ready(
    tx: Transaction, photo_id: int, *, width: int, height: int, placeholder: str | None, exif: dict[str, Any] | None
) -> bool:
    """Mark a photo as ready, with its upright size; emits `PhotoReady`.

    Return False unless it was processing, and once its author's account is deleted.
    """
    author_id = await _lock_author(tx, photo_id)
    if author_id is None:
        return False
    ready = await tx.execute(
        f"""
        UPDATE photos SET state = 'ready', width = $2, height = $3, placeholder = $4
        WHERE {_PHOTO} AND state = 'processing' AND deleted_at IS NULL""",
        photo_id,
        width,
        height,
        placeholder,
    )
    if not ready:
        return False
    if exif:
        await tx.execute(
            f"INSERT INTO photo_exif (shard, photo_id, exif) VALUES ({shard('$1')}, $1, $2) "
            "ON CONFLICT (photo_id, shard) DO UPDATE SET exif = excluded.exif",
            photo_id,
            exif,
        )
    await tx.execute(f"UPDATE users SET photos = photos + 1 WHERE shard = {shard('$1')} AND id = $1", author_id)
    tx.emit(PhotoReady(photo_id=photo_id, author_id=author_id))
    return True


async def mark_rejected(tx: Transaction, photo_id: int, *, reason: str) -> bool:
    """Mark a photo as rejected; emits `PhotoRejected`. Return False unless it was processing."""
    author_id: int | None = await tx.fetchval(
        "UPDATE photos SET state = 'rejected', reason = $2 "
        f"WHERE {_PHOTO} AND state = 'processing' AND deleted_at IS NULL RETURNING author_id",
        photo_id,
        reason,
    )
    if author_id is None:
        return False
    tx.emit(PhotoRejected(photo_id=photo_id, author_id=author_id))
    return True


async def requeue_stuck(tx: Transaction, *, older_than: timedelta, younger_than: timedelta, limit: int = 100) -> int:
    """Emit `PhotoUploaded` again for the oldest photos still in state `processing`; return their number.

    Their age lies between the two. Their event was lost or is among the dead letters.
    """
    rows = await tx.fetch(
        """
        /* all shards: the janitor's */
        SELECT id, author_id FROM photos
        WHERE state = 'processing' AND deleted_at IS NULL
          AND created_at < now() - $1::interval AND created_at > now() - $2::interval
        ORDER BY created_at LIMIT $3""",
        older_than,
        younger_than,
        limit,
    )
    for row in rows:
        tx.emit(PhotoUploaded(photo_id=row["id"], author_id=row["author_id"]))
    return len(rows)


async def has_earlier_in_processing(db: Queryable, photo: Photo) -> bool:
    """Return whether a photo of the same author, uploaded in the hour before, is still in state `processing`."""
    found: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM photos WHERE shard = {shard('$1')} AND author_id = $1 AND id < $2 AND id > $3 "
        "AND state = 'processing' AND deleted_at IS NULL)",
        photo.author.id,
        photo.id,
        photo.id - ids.span(_RECENT),
    )
    return found


async def edit(
    tx: Transaction,
    photo_id: int,
    *,
    author_id: int,
    caption: str | None = None,
    alt_text: str | None = None,
    tags: Sequence[str] | None = None,
    location: str | None = None,
) -> tuple[Photo, bool]:
    """Change the fields of the author's own photo that are not None; an empty `location` removes it.

    Return the photo, and whether the author likes it; raise `NotFoundError("photo")`.
    """
    distinct = None if tags is None else list(dict.fromkeys(tags))
    row = await tx.fetchrow(
        f"""
        UPDATE photos p SET caption = coalesce($3, p.caption), alt_text = coalesce($4, p.alt_text),
            tags = coalesce($5, p.tags),
            location = CASE WHEN $6::text IS NULL THEN p.location ELSE nullif($6::text, '') END
        FROM users a
        WHERE {_VIEWED} AND p.author_id = $1 AND a.shard = {shard("$2")} AND a.id = $1
          AND p.deleted_at IS NULL AND a.deleted_at IS NULL
        RETURNING {PHOTO}, {liked(shard("$2"))}""",
        author_id,
        photo_id,
        caption,
        alt_text,
        distinct,
        location,
    )
    if row is None:
        raise NotFoundError("photo")
    if distinct is not None:
        await tx.execute(f"DELETE FROM photo_tags WHERE shard = {shard('$1')} AND photo_id = $1", photo_id)
        await tx.execute(
            "INSERT INTO photo_tags (shard, photo_id, tag) "
            f"SELECT {shard('$1')}, $1, tag FROM unnest($2::text[]) AS tag",
            photo_id,
            distinct,
        )
    return photo_of(row), row["liked"]


async def delete(tx: Transaction, photo_id: int, *, author_id: int) -> None:
    """Delete the author's own photo; its row stays. Emits `PhotoDeleted`, raises `NotFoundError("photo")`."""
    await _lock_author(tx, photo_id)
    deleted = await _delete(tx, author_id, [photo_id])
    if not deleted:
        raise NotFoundError("photo")
    ((_, sha256),) = deleted
    # Notifications about the photo would lead nowhere now. Only its author has any. Under the inbox's lock none is
    # recorded that this statement does not see.
    await inbox_lock.acquire(tx, author_id)
    entries = await tx.fetch(
        "UPDATE notifications SET deleted_at = now() "
        f"WHERE shard = {shard('$2')} AND photo_id = $1 AND user_id = $2 AND deleted_at IS NULL RETURNING id",
        photo_id,
        author_id,
    )
    removed = sorted((row["id"] for row in entries), reverse=True)[:_MAX_NOTIFICATIONS]
    tx.emit(PhotoDeleted(photo_id=photo_id, author_id=author_id, sha256=sha256, notifications=removed))


async def delete_newest(tx: Transaction, *, author_id: int, limit: int) -> list[tuple[int, str]]:
    """Delete an author's newest photos in any state, up to `limit`; return the id and the SHA-256 of each.

    Emits nothing. The caller has locked the account.
    """
    locked = await tx.fetch(
        f"""
        SELECT id FROM photos WHERE shard = {shard("$1")} AND id IN (
            SELECT id FROM photos WHERE shard = {shard("$1")} AND author_id = $1 AND deleted_at IS NULL
            ORDER BY id DESC LIMIT $2)
        ORDER BY id FOR NO KEY UPDATE""",
        author_id,
        limit,
    )
    return await _delete(tx, author_id, [row["id"] for row in locked])


async def is_public(db: Queryable, sha256: str) -> bool:
    """Return whether a ready photo of a public account has this original."""
    public: bool = await db.fetchval(
        f"/* all shards: by content */ SELECT EXISTS (SELECT 1 FROM {PHOTOS} WHERE p.sha256 = $1 "
        "AND p.state = 'ready' AND p.deleted_at IS NULL AND NOT a.private AND a.deleted_at IS NULL LIMIT 1)",
        sha256,
    )
    return public


async def is_referenced(db: Queryable, sha256: str) -> bool:
    """Return whether a photo in any state that is not deleted has this original."""
    referenced: bool = await db.fetchval(
        "/* all shards: by content */ "
        "SELECT EXISTS (SELECT 1 FROM photos WHERE sha256 = $1 AND deleted_at IS NULL LIMIT 1)",
        sha256,
    )
    return referenced


async def is_owner(db: Queryable, sha256: str, user_id: int) -> bool:
    """Return whether a user has a photo, in any state, with this original."""
    owner: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM photos WHERE shard = {shard('$2')} AND sha256 = $1 AND author_id = $2 "
        "AND deleted_at IS NULL)",
        sha256,
        user_id,
    )
    return owner


async def _lock_author(tx: Transaction, photo_id: int) -> int | None:
    # A photo's author never changes, so it can be read before the photo is locked.
    author_id: int | None = await tx.fetchval(
        f"SELECT id FROM users WHERE shard = {shard('$1')} "
        f"AND id = (SELECT author_id FROM photos WHERE {_PHOTO}) AND deleted_at IS NULL FOR NO KEY UPDATE",
        photo_id,
    )
    return author_id


async def _delete(tx: Transaction, author_id: int, photo_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Delete those of an author's photos that are not deleted; return the id and the SHA-256 of each."""
    rows = await tx.fetch(
        f"""
        UPDATE photos SET deleted_at = now()
        WHERE shard = {shard("$1")} AND author_id = $1 AND id = ANY($2::bigint[]) AND deleted_at IS NULL
        RETURNING id, sha256, state""",
        author_id,
        photo_ids,
    )
    if not rows:
        return []
    deleted = [row["id"] for row in rows]
    # Not part of the statement above: tags that were added while it waited for the photo would be left.
    await tx.execute(
        f"""
        WITH tags AS (DELETE FROM photo_tags WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[])),
        exif AS (DELETE FROM photo_exif WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[]))
        UPDATE users SET photos = photos - $3 WHERE shard = {shard("$1")} AND id = $1""",
        author_id,
        deleted,
        sum(row["state"] == "ready" for row in rows),
    )
    return [(row["id"], row["sha256"]) for row in rows]
