"""Photos: create and find them.

Rows are locked in one order everywhere: accounts by id, then photos by id, then rows that belong to photos.
`users.photos` counts the photos that are ready and that an account's followers can see (`COUNTED`): the number is shown
to everyone, and must not show that there are photos for close friends, or for their author alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage import ids
from storage.entities import tags_of_photo
from storage.errors import NotFoundError
from storage.events import PhotoDeferred, PhotoUploaded, VideoUploaded
from storage.imports import PhotoOrigin
from storage.media_types import VIDEO_TYPES
from storage.models import LocationMetadata, Photo, PhotoAudience
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import PHOTO, PHOTOS, liked, photo_of, stored_mentions, suggestions
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable
from storage.stores.discovery import search_index
from storage.stores.photos import photo_items
from storage.stores.social import mentions

_RECENT = timedelta(hours=1)  # after which a photo is stuck, and the author's other photos do not wait behind it
COUNTED = frozenset({PhotoAudience.PUBLIC, PhotoAudience.FOLLOWERS})  # audiences of the photos that profiles count
_PHOTO_WITH_STATE = PHOTO.replace(
    "p.state", "CASE WHEN p.state = 'ready' AND a.suspended_at IS NOT NULL THEN 'hidden' ELSE p.state END AS state"
)
_VIEWED = f"p.shard = {shard('$2')} AND p.id = $2"
_CREATE = f"""
    WITH a AS (
        SELECT shard, id, username, display_name, avatar_sha256, private FROM users
        WHERE shard = {shard("$1")} AND id = $2 AND deleted_at IS NULL FOR KEY SHARE),
    p AS (
        INSERT INTO photos
            (shard, id, author_id, sha256, content_type, bytes, width, height, caption, alt_text, tags, location,
             taken_at, audience, mentions, import_id, marked_sensitive)
        SELECT a.shard, $1, a.id, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, ''), $12::timestamptz, $13, $15, $17,
            $18 FROM a
        ON CONFLICT (id, shard) DO NOTHING RETURNING *),
    indexed AS (
        INSERT INTO photo_text (shard, photo_id, words)
        SELECT p.shard, p.id, array_to_tsvector($16::text[]) FROM p),
    tagged AS (
        INSERT INTO photo_tags (shard, photo_id, tag)
        SELECT p.shard, p.id, tag FROM p, unnest($14::text[]) AS tag)
    SELECT {PHOTO} FROM p CROSS JOIN a"""


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
    sensitive: bool = False,
    origin: PhotoOrigin | None = None,
) -> Photo:
    """Create a photo in state `processing` in its author's shard.

    One that comes from an import has an id by which it sorts as if it had been posted when it was elsewhere.

    Emits `PhotoUploaded` or `PhotoDeferred`, or for a video `VideoUploaded`. `sha256` is of the stored original, in
    hex. Tags keep their order; repeated ones are dropped. The photo is found under the tags in its caption, too.
    Raises `NotFoundError("user")` once the account is deleted.
    """
    # In an archive of another service the names are those of accounts there.
    named = origin is None or origin.mentions
    mentioned = await mentions.resolve(tx, caption, author_id=author_id) if named else []
    row = await tx.insert(
        ids.shard_of(author_id),
        _CREATE,
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
        None if origin is None else origin.import_id,
        sensitive,
        new_id=None if origin is None else _id_of(origin),
    )
    if row is None:
        raise NotFoundError("user")
    photo = photo_of(row)
    await _emit_created(tx, photo, content_type, imported=origin is not None)
    return photo


async def _emit_created(tx: Transaction, photo: Photo, content_type: str, *, imported: bool) -> None:
    author_id = photo.author.id
    if content_type in VIDEO_TYPES:
        tx.emit(VideoUploaded(photo_id=photo.id, author_id=author_id))
        return
    # Photos of an import wait behind those that others have just posted, and so do their author's next ones.
    waits = imported or await has_earlier_in_processing(tx, photo.id, author_id=author_id)
    topic = PhotoDeferred if waits else PhotoUploaded
    tx.emit(topic(photo_id=photo.id, author_id=author_id))


def _id_of(origin: PhotoOrigin) -> Callable[[int], int]:
    posted_at = min(origin.posted_at.timestamp(), time.time())
    return lambda author_shard: ids.backdated(posted_at, author_shard)


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
    """Return photos in any state by id; deleted ones, and those of deleted authors, are left out.

    Ready ones of suspended authors are `hidden`.
    """
    rows = await db.fetch(
        f"SELECT {_PHOTO_WITH_STATE} FROM {PHOTOS} "
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


async def has_earlier_in_processing(db: Queryable, photo_id: int, *, author_id: int) -> bool:
    """Return whether a photo of the same author, uploaded in the hour before, is still in state `processing`.

    Videos do not count: they have decoders of their own.
    """
    found: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM photos WHERE shard = {shard('$1')} AND author_id = $1 AND id < $2 AND id > $3 "
        "AND state = 'processing' AND deleted_at IS NULL AND content_type <> ALL($4::text[]))",
        author_id,
        photo_id,
        photo_id - ids.span(_RECENT),
        sorted(VIDEO_TYPES),
    )
    return found


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a photo, with the setting that counts when it becomes ready."""

    id: int
    location: LocationMetadata


async def lock_author(tx: Transaction, photo_id: int) -> Author | None:
    """Lock the author of a photo, and return it; None if the account is deleted or the photo is not known."""
    # A photo's author never changes, so it can be read before the photo is locked.
    row = await tx.fetchrow(
        f"SELECT id, location_metadata FROM users WHERE shard = {shard('$1')} "
        f"AND id = (SELECT author_id FROM photos WHERE shard = {shard('$1')} AND id = $1) "
        "AND deleted_at IS NULL FOR NO KEY UPDATE",
        photo_id,
    )
    return None if row is None else Author(row["id"], LocationMetadata(row["location_metadata"]))
