"""Photos: create, find, process and delete them.

Rows are locked in one order everywhere: accounts by id, then photos by id, then rows that belong to photos.
`users.photos` counts the photos that are ready and that an account's followers can see (`COUNTED`): the number is shown
to everyone, and must not show that there are photos for close friends, or for their author alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from storage import ids
from storage.entities import tags_of_photo
from storage.errors import NotFoundError
from storage.events import (
    CollectionsOutdated,
    MediaPurge,
    NotificationsOutdated,
    PhotoDeferred,
    PhotoDeleted,
    PhotoReady,
    PhotoRejected,
    PhotoUploaded,
    VideoUploaded,
)
from storage.media_types import VIDEO_TYPES
from storage.models import LocationMetadata, Photo, PhotoAudience, Video
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTO, PHOTOS, Row, liked, photo_of, stored_mentions, suggestions
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores import inbox_lock, mentions, photo_exif, photo_items, search_index
from storage.stores.photo_items import DecodedItem

_RECENT = timedelta(hours=1)  # after which a photo is stuck, and the author's other photos do not wait behind it
COUNTED = frozenset({PhotoAudience.PUBLIC, PhotoAudience.FOLLOWERS})  # audiences of the photos that profiles count
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
    taken_at: datetime | None = None,
    audience: PhotoAudience = PhotoAudience.PUBLIC,
) -> Photo:
    """Create a photo in state `processing` in its author's shard.

    Emits `PhotoUploaded` or `PhotoDeferred`, or for a video `VideoUploaded`. `sha256` is of the stored original, in
    hex. Tags keep their order; repeated ones are dropped. The photo is found under the tags in its caption, too.
    Raises `NotFoundError("user")` once the account is deleted.
    """
    mentioned = await mentions.resolve(tx, caption, author_id=author_id)
    row = await tx.insert(
        ids.shard_of(author_id),
        f"""
        WITH a AS (
            SELECT shard, id, username, display_name, avatar_sha256, private FROM users
            WHERE shard = {shard("$1")} AND id = $2 AND deleted_at IS NULL FOR KEY SHARE),
        p AS (
            INSERT INTO photos
                (shard, id, author_id, sha256, content_type, bytes, width, height, caption, alt_text, tags, location,
                 taken_at, audience, mentions)
            SELECT a.shard, $1, a.id, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, ''), $12::timestamptz, $13, $15
            FROM a
            ON CONFLICT (id, shard) DO NOTHING RETURNING *),
        indexed AS (
            INSERT INTO photo_text (shard, photo_id, words)
            SELECT p.shard, p.id, array_to_tsvector($16::text[]) FROM p),
        tagged AS (
            INSERT INTO photo_tags (shard, photo_id, tag)
            SELECT p.shard, p.id, tag FROM p, unnest($14::text[]) AS tag)
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
        taken_at,
        audience.value,
        tags_of_photo(tags, caption),
        stored_mentions(mentioned),
        search_index.words_of(caption, tags, location),
    )
    if row is None:
        raise NotFoundError("user")
    photo = photo_of(row)
    if content_type in VIDEO_TYPES:
        tx.emit(VideoUploaded(photo_id=photo.id, author_id=author_id))
        return photo
    topic = PhotoDeferred if await has_earlier_in_processing(tx, photo) else PhotoUploaded
    tx.emit(topic(photo_id=photo.id, author_id=author_id))
    return photo


async def get(db: Queryable, photo_id: int, *, viewer_id: int | None) -> Photo:
    """Return a photo that the viewer may see, their own in any state; else raise `NotFoundError("photo")`."""
    return (await get_with_like(db, photo_id, viewer_id=viewer_id))[0]


async def get_with_like(db: Queryable, photo_id: int, *, viewer_id: int | None) -> tuple[Photo, bool]:
    """Return a photo as `get` does, with suggestions if it is their own, and whether the viewer likes it."""
    row = await db.fetchrow(
        f"SELECT {PHOTO}, {liked(shard('$2'))}, {suggestions(shard('$2'))} FROM {PHOTOS} "
        f"WHERE {_VIEWED} AND {readable(shard('$2'))}",
        viewer_id,
        photo_id,
    )
    if row is None:
        raise NotFoundError("photo")
    (photo,) = await photo_items.with_items(db, [photo_of(row)])
    return photo, row["liked"]


async def load(db: Queryable, photo_ids: Sequence[int]) -> dict[int, Photo]:
    """Return photos in any state by id; deleted ones, and those of deleted authors, are left out."""
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM {PHOTOS} "
        "WHERE p.shard = ANY($1::integer[]) AND p.id = ANY($2::bigint[]) "
        "AND p.deleted_at IS NULL AND a.deleted_at IS NULL",
        shards(photo_ids),
        list(photo_ids),
    )
    return {photo.id: photo for photo in await photo_items.with_items(db, [photo_of(row) for row in rows])}


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
    """Mark a photo as ready, with its upright size; emits `PhotoReady`.

    `hdr` says that its JPEGs have a gain map, `motion` is the format of an animation's variant with all frames, `video`
    describes the one that is played. Of several pictures, `items` are all, and the EXIF is stored with them. `taken_at`
    does not replace what the author has said meanwhile. Return False unless it was processing, and once its author's
    account is deleted.
    """
    author = await _lock_author(tx, photo_id)
    if author is None:
        return False
    audience: str | None = await tx.fetchval(
        f"""
        UPDATE photos SET state = 'ready', width = $2, height = $3, placeholder = $4,
            taken_at = coalesce(taken_at, $5), hdr = $6, motion = $7, video = $8
        WHERE {_PHOTO} AND state = 'processing' AND deleted_at IS NULL RETURNING audience""",
        photo_id,
        width,
        height,
        placeholder,
        taken_at,
        hdr,
        motion,
        None if video is None else asdict(video),
    )
    if audience is None:
        return False
    if items:
        await photo_items.finish(tx, photo_id, items, location=author.location)
        exif = None  # it is kept with the pictures
    await photo_exif.store(tx, photo_id, exif or {}, location=author.location, suggestions=suggestions or {})
    counted = int(audience in COUNTED)
    await tx.execute(
        f"""
        WITH marked AS (
            INSERT INTO tag_recounts (shard, tag)
            SELECT shard, tag FROM photo_tags WHERE shard = {shard("$1")} AND photo_id = $2 ORDER BY tag
            {search_index.MARK})
        UPDATE users SET photos = photos + $3 WHERE shard = {shard("$1")} AND id = $1""",
        author.id,
        photo_id,
        counted,
    )
    tx.emit(PhotoReady(photo_id=photo_id, author_id=author.id))
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
    for row in rows:
        topic = VideoUploaded if row["content_type"] in VIDEO_TYPES else PhotoUploaded
        tx.emit(topic(photo_id=row["id"], author_id=row["author_id"]))
    return len(rows)


async def has_earlier_in_processing(db: Queryable, photo: Photo) -> bool:
    """Return whether a photo of the same author, uploaded in the hour before, is still in state `processing`.

    Videos do not count: they have decoders of their own.
    """
    found: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM photos WHERE shard = {shard('$1')} AND author_id = $1 AND id < $2 AND id > $3 "
        "AND state = 'processing' AND deleted_at IS NULL AND content_type <> ALL($4::text[]))",
        photo.author.id,
        photo.id,
        photo.id - ids.span(_RECENT),
        sorted(VIDEO_TYPES),
    )
    return found


async def delete(tx: Transaction, photo_id: int, *, author_id: int) -> None:
    """Delete the author's own photo; its row stays.

    Emits `PhotoDeleted`, `CollectionsOutdated`, `NotificationsOutdated` and `MediaPurge`; raises
    `NotFoundError("photo")`.
    """
    await _lock_author(tx, photo_id)
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
    """Delete an author's newest photos in any state, up to `limit`; return id and SHA-256 of each of their pictures.

    Emits `CollectionsOutdated`. The caller has locked the account.
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


@dataclass(frozen=True, slots=True)
class _Author:
    """The author of a photo, with the setting that counts when it becomes ready."""

    id: int
    location: LocationMetadata


async def _lock_author(tx: Transaction, photo_id: int) -> _Author | None:
    # A photo's author never changes, so it can be read before the photo is locked.
    row = await tx.fetchrow(
        f"SELECT id, location_metadata FROM users WHERE shard = {shard('$1')} "
        f"AND id = (SELECT author_id FROM photos WHERE {_PHOTO}) AND deleted_at IS NULL FOR NO KEY UPDATE",
        photo_id,
    )
    return None if row is None else _Author(row["id"], LocationMetadata(row["location_metadata"]))


async def _delete(
    tx: Transaction, author_id: int, photo_ids: Sequence[int]
) -> tuple[Sequence[Row], list[tuple[int, str]]]:
    """Delete those of an author's photos that are not deleted; return them, and id and SHA-256 of their pictures.

    Emits `CollectionsOutdated`.
    """
    rows = await tx.fetch(
        f"""
        UPDATE photos SET deleted_at = now()
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
        exif AS (DELETE FROM photo_exif WHERE shard = {shard("$1")} AND photo_id = ANY($2::bigint[]))
        UPDATE users SET photos = photos - $3 WHERE shard = {shard("$1")} AND id = $1""",
        author_id,
        deleted,
        sum(row["state"] == "ready" and row["audience"] in COUNTED for row in rows),
    )
    pictures = [(row["id"], row["sha256"]) for row in rows]
    if several := [row["id"] for row in rows if row["pictures"] > 1]:
        pictures += await photo_items.delete_all(tx, author_id, several)
    return rows, list(dict.fromkeys(pictures))
