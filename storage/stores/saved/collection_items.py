"""The photos in collections: rows in the shard of the collection's owner, in the order of `collection_order`.

A photo is added under its lock, so that its deletion waits, and then removes the row (`forget`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from locales.sentences import sentence
from storage.errors import ConflictError, NotFoundError
from storage.models import Photo
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard, shards
from storage.stores.photos import photo_lists, photos
from storage.stores.saved.collection_order import GAP

MAX = 5_000  # photos in one collection
BATCH = 100  # items that one event removes
_COVER_DEPTHS = (4, 100)  # photos from the front of a collection, of which one is its cover
# The collection is locked before its item, as by `add`; of which user it is, $3 says, or null for any.
_REMOVE = f"""
    WITH c AS (
        SELECT shard, id FROM collections WHERE shard = {shard("$1")} AND id = $1
        AND ($3::bigint IS NULL OR owner_id = $3) FOR NO KEY UPDATE),
    gone AS (
        DELETE FROM collection_items i USING c
        WHERE i.shard = {shard("$1")} AND i.collection_id = c.id AND i.photo_id = $2 RETURNING i.collection_id)
    UPDATE collections k SET size = k.size - 1 FROM gone WHERE k.shard = {shard("$1")} AND k.id = gone.collection_id"""
_ITEMS = f"shard = {shard('$1')} AND collection_id = $1"


async def add(tx: Transaction, collection_id: int, photo_id: int, *, owner_id: int) -> bool:
    """Put a photo that the owner may see in front of a collection; return False if it is in there.

    Raises `NotFoundError`: "collection" for one of another user, "photo"; and `ConflictError` collection_full.
    """
    await photos.lock(tx, photo_id, viewer_id=owner_id)
    row = await tx.fetchrow(
        f"""
        WITH c AS (
            SELECT shard, id, owner_id, size, last_position FROM collections
            WHERE shard = {shard("$1")} AND id = $1 AND owner_id = $3 FOR NO KEY UPDATE),
        added AS (
            INSERT INTO collection_items (shard, collection_id, photo_id, owner_id, position)
            SELECT c.shard, c.id, $2, c.owner_id, c.last_position + {GAP} FROM c
            ON CONFLICT (collection_id, photo_id, shard) DO NOTHING RETURNING collection_id),
        counted AS (
            UPDATE collections k SET size = k.size + 1, last_position = k.last_position + {GAP}
            FROM added WHERE k.shard = {shard("$1")} AND k.id = added.collection_id RETURNING k.size)
        SELECT c.id, counted.size FROM c LEFT JOIN counted ON true""",
        collection_id,
        photo_id,
        owner_id,
    )
    if row is None:
        raise NotFoundError("collection")
    if row["size"] is not None and row["size"] > MAX:
        raise ConflictError(
            "collection_full", sentence("A collection can have up to {most} photos. Remove some of them.", most=MAX)
        )
    return row["size"] is not None


async def remove(tx: Transaction, collection_id: int, photo_id: int, *, owner_id: int) -> bool:
    """Remove a photo from the owner's own collection; return False if it is not in there."""
    return bool(await tx.execute(_REMOVE, collection_id, photo_id, owner_id))


async def page(
    db: Queryable, collection_id: int, *, viewer_id: int | None, before: int | None, limit: int
) -> list[tuple[int, Photo]]:
    """Return (position, photo) of the photos that the viewer may see, first ones first, with positions below `before`.

    Whether the viewer may see the collection, the caller has to check.
    """
    found: list[tuple[int, Photo]] = []
    # Some of a page may be hidden from the viewer; the rest of it is read below them.
    while len(found) < limit:
        rows = await db.fetch(
            f"SELECT position, photo_id FROM collection_items WHERE {_ITEMS} "
            "AND ($2::bigint IS NULL OR position < $2) ORDER BY position DESC LIMIT $3",
            collection_id,
            before,
            limit,
        )
        shown = await photo_lists.by_ids(db, [row["photo_id"] for row in rows], viewer_id=viewer_id)
        found += [(row["position"], shown[row["photo_id"]]) for row in rows if row["photo_id"] in shown]
        if len(rows) < limit:
            break
        before = rows[-1]["position"]
    return found[:limit]


async def covers(db: Queryable, collection_ids: Sequence[int], *, viewer_id: int | None) -> dict[int, Photo]:
    """Return the first photo of each of these collections that the viewer may see, of the first hundred."""
    found: dict[int, Photo] = {}
    wanted = list(collection_ids)
    for depth in _COVER_DEPTHS:
        rows = await _first_photos(db, wanted, depth)
        shown = await photo_lists.by_ids(db, [photo_id for _, photo_id in rows], viewer_id=viewer_id)
        # Of several, the last one stays, which has the greatest position.
        found |= {collection_id: shown[photo_id] for collection_id, photo_id in rows if photo_id in shown}
        counted = Counter(collection_id for collection_id, _ in rows)
        # A page must not show that the first photos are hidden, and that there are others.
        wanted = [each for each in wanted if each not in found and counted[each] == depth]
        if not wanted:
            break
    return found


async def _first_photos(db: Queryable, collection_ids: Sequence[int], depth: int) -> list[tuple[int, int]]:
    """Return (collection, photo) of the first `depth` photos of each collection, last ones first."""
    rows = await db.fetch(
        """
        SELECT c.id, first.photo_id FROM collections c
        CROSS JOIN LATERAL (
            SELECT i.photo_id, i.position FROM collection_items i WHERE i.shard = c.shard AND i.collection_id = c.id
            ORDER BY i.position DESC LIMIT $3) AS first
        WHERE c.shard = ANY($1::integer[]) AND c.id = ANY($2::bigint[]) ORDER BY first.position""",
        shards(collection_ids),
        list(collection_ids),
        depth,
    )
    return [(row["id"], row["photo_id"]) for row in rows]


async def saved_among(db: Queryable, photo_ids: Sequence[int], *, owner_id: int) -> set[int]:
    """Return which of these photos a user has saved. Whether the user may see them, the caller has to check."""
    # A look-up for each photo, and so in `places`. A join might begin with the index of photos, in which a popular one
    # is as often as it is kept.
    rows = await db.fetch(
        f"""
        SELECT asked.photo_id FROM unnest($2::bigint[]) AS asked (photo_id)
        WHERE (
            SELECT true FROM collection_items i
            WHERE i.shard = {shard("$1")} AND i.photo_id = asked.photo_id AND i.collection_id = (
                SELECT c.id FROM collections c WHERE c.shard = {shard("$1")} AND c.owner_id = $1 AND c.saved))""",
        owner_id,
        list(photo_ids),
    )
    return {row["photo_id"] for row in rows}


class Places(NamedTuple):
    """Where a user keeps a photo: in these collections, and whether among the saved photos."""

    collections: frozenset[int] = frozenset()
    saved: bool = False


async def places(db: Queryable, photo_id: int, *, owner_id: int) -> Places:
    """Return where a user keeps a photo. Whether the user may see it, the caller has to check."""
    rows = await db.fetch(
        f"""
        SELECT c.id, c.saved FROM collections c WHERE c.shard = {shard("$1")} AND c.owner_id = $1 AND (
            SELECT true FROM collection_items i
            WHERE i.shard = {shard("$1")} AND i.collection_id = c.id AND i.photo_id = $2)""",
        owner_id,
        photo_id,
    )
    return Places(
        collections=frozenset(row["id"] for row in rows if not row["saved"]),
        saved=any(row["saved"] for row in rows),
    )


async def forget(tx: Transaction, photo_ids: Sequence[int], *, limit: int = BATCH) -> bool:
    """Remove up to `limit` items of deleted photos from collections; return whether there may be more."""
    rows = await tx.fetch(
        "/* all shards: the collections with deleted photos */ "
        "SELECT collection_id, photo_id FROM collection_items WHERE photo_id = ANY($1::bigint[]) LIMIT $2",
        list(photo_ids),
        limit,
    )
    for collection_id, photo_id in sorted((row["collection_id"], row["photo_id"]) for row in rows):
        await tx.execute(_REMOVE, collection_id, photo_id, None)
    return len(rows) == limit
