"""Photos of many authors, collections and tags, and photos by their ids, each with one statement.

The rules are those of `storage.stores.photos.photo_lists` and `storage.stores.saved.collection_items`, which read one
list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTO, PHOTOS, liked, photo_of, suggestions
from storage.postgres.sharding import shards
from storage.postgres.visibility import met, readable, shown
from storage.stores.nested.nested_lists import filled
from storage.stores.photos import photo_lists
from storage.stores.photos.photo_items import with_items


async def by_ids(db: Queryable, photo_ids: Collection[int], *, viewer_id: int | None) -> dict[int, tuple[Photo, bool]]:
    """Return those photos that the viewer may see, and whether the viewer likes them, by id; see `photos.get`."""
    if not photo_ids:
        return {}
    rows = await db.fetch(
        f"SELECT {PHOTO}, {liked('p.shard')}, {suggestions('p.shard')} FROM {PHOTOS} "
        f"WHERE p.shard = ANY($2::integer[]) AND p.id = ANY($3::bigint[]) AND {readable('a.shard')}",
        viewer_id,
        shards(photo_ids),
        list(photo_ids),
    )
    likes = {row["id"]: row["liked"] for row in rows}
    return {photo.id: (photo, likes[photo.id]) for photo in await with_items(db, [photo_of(row) for row in rows])}


async def of_authors(
    db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int
) -> dict[int, list[Photo]]:
    """Return up to `limit` photos of each author with ids below the start, newest first."""
    rows = await db.fetch(
        f"""
        SELECT own.* FROM unnest($3::bigint[], $4::bigint[]) AS parent (id, below)
        JOIN users a ON a.id = parent.id
        CROSS JOIN LATERAL (
            SELECT {PHOTO} FROM photos p
            WHERE p.shard = a.shard AND p.author_id = a.id AND p.id < parent.below AND {readable("a.shard")}
            ORDER BY p.id DESC LIMIT $5) AS own
        WHERE a.shard = ANY($2::integer[]) ORDER BY own.id DESC""",
        viewer_id,
        shards(starts),
        list(starts),
        _bounds(starts),
        limit,
    )
    found: defaultdict[int, list[Photo]] = defaultdict(list)
    for photo in await with_items(db, [photo_of(row) for row in rows]):
        found[photo.author.id].append(photo)
    return found


async def of_tags(
    db: Queryable, starts: Mapping[str, int | None], *, viewer_id: int | None, limit: int
) -> dict[str, list[Photo]]:
    """Return up to `limit` photos with each tag, compared exactly, with ids below the start, newest first."""
    rows = await db.fetch(
        f"""
        /* all shards: by a tag */
        SELECT parent.tag AS parent_tag, tagged.* FROM unnest($2::text[], $3::bigint[]) AS parent (tag, below)
        CROSS JOIN LATERAL (
            SELECT {PHOTO} FROM photo_tags t
            JOIN photos p ON p.id = t.photo_id AND p.shard = t.shard
            JOIN users a ON a.id = p.author_id AND a.shard = t.shard
            WHERE t.tag = parent.tag AND t.photo_id < parent.below AND {shown("a.shard")} AND {met("a.shard")}
            ORDER BY t.photo_id DESC LIMIT $4) AS tagged
        ORDER BY tagged.id DESC""",
        viewer_id,
        list(starts),
        _bounds(starts),
        limit,
    )
    photos = await with_items(db, [photo_of(row) for row in rows])
    found: defaultdict[str, list[Photo]] = defaultdict(list)
    for row, photo in zip(rows, photos, strict=True):
        found[row["parent_tag"]].append(photo)
    return found


async def of_collections(
    db: Queryable, starts: Mapping[int, int | None], *, viewer_id: int | None, limit: int
) -> dict[int, list[tuple[int, Photo]]]:
    """Return up to `limit` (position, photo) of each collection with positions below the start, first ones first.

    Whether the viewer may see the collections, the caller has to check.
    """
    photos: dict[int, Photo] = {}

    async def read(places: Mapping[int, int | None]) -> Mapping[int, Sequence[tuple[int, int]]]:
        rows = await db.fetch(
            """
            SELECT c.id, item.position, item.photo_id FROM unnest($2::bigint[], $3::bigint[]) AS parent (id, below)
            JOIN collections c ON c.id = parent.id
            CROSS JOIN LATERAL (
                SELECT i.position, i.photo_id FROM collection_items i
                WHERE i.shard = c.shard AND i.collection_id = c.id AND i.position < parent.below
                ORDER BY i.position DESC LIMIT $4) AS item
            WHERE c.shard = ANY($1::integer[]) ORDER BY item.position DESC""",
            shards(places),
            list(places),
            _bounds(places),
            limit,
        )
        batches: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for row in rows:
            batches[row["id"]].append((row["position"], row["photo_id"]))
        return batches

    async def keep(items: Sequence[tuple[int, int]]) -> Sequence[bool]:
        unknown = list({photo_id for _, photo_id in items})
        photos.update(await photo_lists.by_ids(db, unknown, viewer_id=viewer_id))
        return [photo_id in photos for _, photo_id in items]

    found = await filled(starts, read, keep, lambda item: item[0], limit=limit)
    return {
        collection_id: [(position, photos[photo_id]) for position, photo_id in items]
        for collection_id, items in found.items()
    }


def _bounds(starts: Mapping[int, int | None] | Mapping[str, int | None]) -> list[int]:
    return [MAX_ID if below is None else below for below in starts.values()]
