"""The pictures of photos that have several: add, read, finish and remove them.

A photo with one picture has no rows here. Items are written under the lock of their photo, whose own columns repeat the
first one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.models import LocationMetadata, Photo, PhotoItem
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.stores.photos import photo_exif

MAX_ITEMS = 10  # pictures of a photo
# Of a picture in `photo_items`, and of the first one in `photos`.
COLUMNS = ("sha256", "content_type", "bytes", "width", "height", "placeholder", "hdr", "motion", "alt_text")


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedItem:
    """What the decoder has found in the picture with an original: its upright size, its EXIF, and its kind."""

    sha256: str
    width: int
    height: int
    placeholder: str | None
    exif: Mapping[str, Any]
    hdr: bool = False
    motion: str | None = None


def pictures_of(photo: Photo) -> tuple[PhotoItem, ...]:
    """Return all pictures of a photo in order, at least one."""
    return photo.items or (PhotoItem(**{name: getattr(photo, name) for name in COLUMNS}),)


async def add(tx: Transaction, photo: Photo, items: Sequence[PhotoItem]) -> Photo:
    """Add all pictures, at least two, to a photo that was created with the first one; return the photo."""
    await tx.execute(
        f"""
        WITH added AS (
            INSERT INTO photo_items
                (shard, photo_id, sha256, position, content_type, bytes, width, height, alt_text)
            SELECT {shard("$1")}, $1, i.sha256, i.position - 1, i.content_type, i.bytes, i.width, i.height, i.alt_text
            FROM unnest($2::text[], $3::text[], $4::bigint[], $5::integer[], $6::integer[], $7::text[])
                WITH ORDINALITY AS i (sha256, content_type, bytes, width, height, alt_text, position))
        UPDATE photos SET pictures = $8 WHERE shard = {shard("$1")} AND id = $1""",
        photo.id,
        [item.sha256 for item in items],
        [item.content_type for item in items],
        [item.bytes for item in items],
        [item.width for item in items],
        [item.height for item in items],
        [item.alt_text for item in items],
        len(items),
    )
    return replace(photo, pictures=len(items), items=tuple(items))


async def with_items(db: Queryable, found: Sequence[Photo]) -> list[Photo]:
    """Return photos with their items; asks only for those that have several pictures."""
    several = [photo.id for photo in found if photo.pictures > 1]
    if not several:
        return list(found)
    rows = await db.fetch(
        f"SELECT photo_id, {', '.join(COLUMNS)} FROM photo_items "
        "WHERE shard = ANY($1::integer[]) AND photo_id = ANY($2::bigint[]) ORDER BY photo_id, position",
        shards(several),
        several,
    )
    items: defaultdict[int, list[PhotoItem]] = defaultdict(list)
    for row in rows:
        items[row["photo_id"]].append(_item_of(row))
    return [replace(photo, items=tuple(items[photo.id])) if photo.id in items else photo for photo in found]


async def finish(tx: Transaction, photo_id: int, decoded: Sequence[DecodedItem], *, location: LocationMetadata) -> None:
    """Store the upright size and kind of each picture, and its EXIF, with its position as the setting says."""
    await tx.execute(
        f"""
        UPDATE photo_items i SET width = d.width, height = d.height, placeholder = d.placeholder, exif = d.exif,
            hdr = d.hdr, motion = d.motion
        FROM unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::jsonb[], $7::boolean[], $8::text[])
            AS d (sha256, width, height, placeholder, exif, hdr, motion)
        WHERE i.shard = {shard("$1")} AND i.photo_id = $1 AND i.sha256 = d.sha256""",
        photo_id,
        [item.sha256 for item in decoded],
        [item.width for item in decoded],
        [item.height for item in decoded],
        [item.placeholder for item in decoded],
        [photo_exif.with_location(item.exif, location) or None for item in decoded],
        [item.hdr for item in decoded],
        [item.motion for item in decoded],
    )


async def delete_all(tx: Transaction, author_id: int, photo_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Delete the items of an author's photos; return the photo and the SHA-256 of each."""
    rows = await tx.fetch(
        f"DELETE FROM photo_items WHERE shard = {shard('$1')} AND photo_id = ANY($2::bigint[]) "
        "RETURNING photo_id, sha256",
        author_id,
        photo_ids,
    )
    return [(row["photo_id"], row["sha256"]) for row in rows]


def _item_of(row: Row) -> PhotoItem:
    return PhotoItem(**{name: row[name] for name in COLUMNS})
