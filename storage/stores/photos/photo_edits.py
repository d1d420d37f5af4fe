"""Changes of a photo's description by its author."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from storage.entities import tags_of_photo
from storage.errors import NotFoundError
from storage.events import PhotoEdited
from storage.models import Photo
from storage.postgres.database import Transaction
from storage.postgres.rows import PHOTO, liked, mentions_of, photo_of, stored_mentions, suggestions
from storage.postgres.sharding import shard
from storage.stores.discovery import search_index
from storage.stores.photos import photo_item_edits, photo_items, photos
from storage.stores.social import mentions

# The new value of each column; an empty text removes what may be missing.
_NEW = {
    "caption": "coalesce($3, p.caption)",
    "alt_text": "coalesce($4, p.alt_text)",
    "tags": "coalesce($5, p.tags)",
    "location": "CASE WHEN $6::text IS NULL THEN p.location ELSE nullif($6::text, '') END",
    "mentions": "coalesce($10::jsonb, p.mentions)",
    "taken_at": "CASE WHEN $8::boolean THEN NULL ELSE coalesce($7::timestamptz, p.taken_at) END",
    "marked_sensitive": "coalesce($11::boolean, p.marked_sensitive)",
}
_CHANGED = f"({', '.join(_NEW.values())}) IS DISTINCT FROM ({', '.join(f'p.{name}' for name in _NEW)})"
_VIEWED = f"p.shard = {shard('$2')} AND p.id = $2"


async def edit(
    tx: Transaction,
    photo_id: int,
    *,
    author_id: int,
    caption: str | None = None,
    alt_text: str | None = None,
    tags: Sequence[str] | None = None,
    location: str | None = None,
    taken_at: str | None = None,
    sensitive: bool | None = None,
    changed: bool = False,
) -> tuple[Photo, bool]:
    """Change the fields of the author's own photo that are not None; an empty `location` or `taken_at` removes it.

    `taken_at` is ISO 8601. Return the photo, and whether the author likes it. A change sets `edited_at` and emits
    `PhotoEdited`; with `changed` there was one already in this transaction. Raises `NotFoundError("photo")`.
    """
    mentioned = None if caption is None else await mentions.resolve(tx, caption, author_id=author_id)
    distinct = None if tags is None else list(dict.fromkeys(tags))
    row = await tx.fetchrow(
        f"""
        UPDATE photos p SET caption = {_NEW["caption"]}, alt_text = {_NEW["alt_text"]}, tags = {_NEW["tags"]},
            location = {_NEW["location"]}, taken_at = {_NEW["taken_at"]}, mentions = {_NEW["mentions"]},
            marked_sensitive = {_NEW["marked_sensitive"]}, edited_at = now()
        FROM users a, (
            SELECT q.mentions FROM photos q WHERE q.shard = {shard("$2")} AND q.id = $2 AND q.author_id = $1
            FOR NO KEY UPDATE) AS before
        WHERE {_VIEWED} AND p.author_id = $1 AND a.shard = {shard("$2")} AND a.id = $1
          AND p.deleted_at IS NULL AND a.deleted_at IS NULL AND ($9::boolean OR {_CHANGED})
        RETURNING {PHOTO}, before.mentions AS mentions_before, {liked(shard("$2"))}, {suggestions(shard("$2"))}""",
        author_id,
        photo_id,
        caption,
        alt_text,
        distinct,
        location,
        datetime.fromisoformat(taken_at) if taken_at else None,
        taken_at == "",
        changed,
        None if mentioned is None else stored_mentions(mentioned),
        sensitive,
    )
    if row is None:
        return await _unchanged(tx, photo_id, author_id)
    edited = photo_of(row)
    rementioned = mentions.changed(mentions_of(row["mentions_before"]), edited.mentions)
    tx.emit(PhotoEdited(photo_id=photo_id, author_id=author_id, mentions=rementioned))
    former = await _replace_tags(tx, edited) if distinct is not None or caption is not None else []
    if alt_text is not None and row["pictures"] > 1:
        await photo_item_edits.describe_first(tx, photo_id, alt_text)
    (photo,) = await photo_items.with_items(tx, [edited])
    if (caption, distinct, location) != (None,) * 3:
        await search_index.write_photo(tx, photo, former_tags=former)
    return photo, row["liked"]


async def _replace_tags(tx: Transaction, photo: Photo) -> list[str]:
    """Store the tags under which a photo is found; return the former ones."""
    former = await tx.fetch(
        f"DELETE FROM photo_tags WHERE shard = {shard('$1')} AND photo_id = $1 RETURNING tag", photo.id
    )
    await tx.execute(
        f"INSERT INTO photo_tags (shard, photo_id, tag) SELECT {shard('$1')}, $1, tag FROM unnest($2::text[]) AS tag",
        photo.id,
        tags_of_photo(photo.tags, photo.caption),
    )
    return [row["tag"] for row in former]


async def _unchanged(tx: Transaction, photo_id: int, author_id: int) -> tuple[Photo, bool]:
    photo, likes_it = await photos.get_with_like(tx, photo_id, viewer_id=author_id)
    if photo.author.id != author_id:
        raise NotFoundError("photo")
    return photo, likes_it
