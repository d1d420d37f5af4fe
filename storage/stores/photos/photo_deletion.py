"""Delete photos: their rows stay, and what is found by them goes in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import NotFoundError
from storage.events import CollectionsOutdated, MediaPurge, NotificationsOutdated, PhotoDeleted
from storage.postgres.database import Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores import inbox_lock
from storage.stores.discovery import search_index
from storage.stores.photos import photo_items, photos

_MAX_NOTIFICATIONS = 100  # that an event names: more than an inbox shows at once
# What a deleted photo says goes at once; the thumbhash is a small picture of it.
_FORGET = (
    ", caption = '', alt_text = '', tags = '[]', mentions = '[]', location = NULL, taken_at = NULL, placeholder = NULL"
)


async def delete(tx: Transaction, photo_id: int, *, author_id: int) -> None:
    """Delete the author's own photo; its row stays, without what it says.

    Emits `PhotoDeleted`, `CollectionsOutdated`, `NotificationsOutdated` and `MediaPurge`; raises
    `NotFoundError("photo")`.
    """
    await photos.lock_author(tx, photo_id)
    deleted, pictures = await _delete(tx, author_id, [photo_id])
    if not deleted:
        raise NotFoundError("photo")
    (_, sha256), *items = pictures
    # Notifications about the photo would lead nowhere now. Most are its author's. Under the inbox's lock none is
    # recorded that this statement does not see. Those of others are removed in batches.
    await inbox_lock.acquire(tx, author_id)
    entries = await tx.fetch(
        "UPDATE notifications SET deleted_at = now() "
        f"WHERE shard = {shard('$2')} AND photo_id = $1 AND user_id = $2 AND deleted_at IS NULL RETURNING id",
        photo_id,
        author_id,
    )
    removed = sorted((row["id"] for row in entries), reverse=True)[:_MAX_NOTIFICATIONS]
    others = [item for _, item in items]
    tx.emit(
        PhotoDeleted(
            photo_id=photo_id,
            author_id=author_id,
            sha256=sha256,
            audience=deleted[0]["audience"],
            items=others,
            notifications=removed,
        )
    )
    tx.emit(NotificationsOutdated(photo_id=photo_id))
    tx.emit(MediaPurge(user_id=author_id, sha256s=[sha256, *others]))


async def delete_newest(tx: Transaction, *, author_id: int, limit: int) -> list[tuple[int, str]]:
    """Delete an erased account's newest photos in any state, up to `limit`.

    Returns id and SHA-256 of each of their pictures. Emits `CollectionsOutdated`. The caller has locked the account.
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
    return (await _delete(tx, author_id, [row["id"] for row in locked]))[1]


async def _delete(
    tx: Transaction, author_id: int, photo_ids: Sequence[int]
) -> tuple[Sequence[Row], list[tuple[int, str]]]:
    """Delete those of an author's photos that are not deleted; return them, and id and SHA-256 of their pictures.

    Emits `CollectionsOutdated`.
    """
    rows = await tx.fetch(
        f"""
        UPDATE photos SET deleted_at = now(){_FORGET}
        WHERE shard = {shard("$1")} AND author_id = $1 AND id = ANY($2::bigint[]) AND deleted_at IS NULL
        RETURNING id, sha256, state, audience, pictures""",
        author_id,
        photo_ids,
    )
    if not rows:
        return [], []
    deleted = [row["id"] for row in rows]
    tx.emit(CollectionsOutdated(author_id=author_id, photo_ids=deleted))
    # Not part of the statement above: tags that were added while it waited for the photo would be left.
    await tx.execute(
        f"""
        WITH tags AS (
            DELETE FROM photo_tags WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[]) RETURNING shard, tag),
        marked AS (
            INSERT INTO tag_recounts (shard, tag) SELECT DISTINCT shard, tag FROM tags ORDER BY tag
            {search_index.MARK}),
        words AS (DELETE FROM photo_text WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[])),
        exif AS (DELETE FROM photo_exif WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[])),
        hashes AS (DELETE FROM media_hashes WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[]))
        UPDATE users SET photos = photos - $3 WHERE shard = {shard("$1")} AND id = $1""",
        author_id,
        deleted,
        sum(row["state"] == "ready" and row["audience"] in photos.COUNTED for row in rows),
    )
    pictures = [(row["id"], row["sha256"]) for row in rows]
    if several := [row["id"] for row in rows if row["pictures"] > 1]:
        pictures += await photo_items.delete_all(tx, author_id, several)
    return rows, list(dict.fromkeys(pictures))
