"""The order of the photos in a collection: positions with gaps, the greatest of which is the first photo's.

A photo is added `GAP` above the first one, and moved into the middle between its new neighbours: that changes its own
row and no other. A gap is used up after some twenty moves to the same place. Then the photos around it are spread
again, and all photos only if those are too close together, as in collections from before there were gaps.

Every change locks the collection, so that no two find the same position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.photos import photo_lists

GAP = 1 << 20
AROUND = 50  # photos on each side of a gap that is used up, which are spread
_WIDE = 1 << 10  # the gap that is worth spreading them

_ITEMS = f"shard = {shard('$1')} AND collection_id = $1"
_COLLECTION = f"shard = {shard('$1')} AND id = $1"


async def arrange(tx: Transaction, collection_id: int, photo_ids: Sequence[int], *, owner_id: int) -> None:
    """Let a collection begin with these of its photos, in this order; raise `NotFoundError("collection")`."""
    last = await tx.fetchval(
        f"UPDATE collections SET last_position = last_position + $3 WHERE {_COLLECTION} "
        "AND owner_id = $2 RETURNING last_position",
        collection_id,
        owner_id,
        len(photo_ids) * GAP,
    )
    if last is None:
        raise NotFoundError("collection")
    await _set(tx, collection_id, list(photo_ids), [last - place * GAP for place in range(len(photo_ids))])


async def move(tx: Transaction, collection_id: int, photo_id: int, *, after_id: int | None, owner_id: int) -> None:
    """Put a photo of the owner's own collection behind another one, or in front if that is None; idempotent.

    Raises `NotFoundError`: "collection" for one of another user, "photo" for one that the owner does not see in there;
    and `ConflictError` photo_not_in_collection if that is true of the other one.
    """
    last = await tx.fetchval(
        f"SELECT last_position FROM collections WHERE {_COLLECTION} AND owner_id = $2 AND NOT saved FOR NO KEY UPDATE",
        collection_id,
        owner_id,
    )
    if last is None:
        raise NotFoundError("collection")
    named = [photo_id] if after_id is None else [photo_id, after_id]
    positions = await _positions(tx, collection_id, named)
    shown = await photo_lists.readable_among(tx, list(positions), viewer_id=owner_id)
    if photo_id not in shown:
        raise NotFoundError("photo")
    if after_id is not None and after_id not in shown:
        raise ConflictError("photo_not_in_collection", "The photo behind which to put it is not in the collection.")
    if after_id is None:
        await _move_to_front(tx, collection_id, photo_id, positions[photo_id], last)
    else:
        await _move_behind(tx, collection_id, photo_id, after_id, positions[after_id])


async def _move_to_front(tx: Transaction, collection_id: int, photo_id: int, position: int, last: int) -> None:
    if await _next_below(tx, collection_id, photo_id, None) < position:
        return
    await tx.execute(f"UPDATE collections SET last_position = $2 WHERE {_COLLECTION}", collection_id, last + GAP)
    await _set(tx, collection_id, [photo_id], [last + GAP])


async def _move_behind(tx: Transaction, collection_id: int, photo_id: int, after_id: int, after: int) -> None:
    below = await _next_below(tx, collection_id, photo_id, after)
    if after - below < 2:
        await _make_space(tx, collection_id, after)
        after = (await _positions(tx, collection_id, [after_id]))[after_id]
        below = await _next_below(tx, collection_id, photo_id, after)
    await _set(tx, collection_id, [photo_id], [(after + below) // 2])


async def _make_space(tx: Transaction, collection_id: int, position: int) -> None:
    """Spread the photos around a position, with space between them."""
    span = await _around(tx, collection_id, position)
    if span.distance < _WIDE:
        span = _Span(await _all(tx, collection_id), lower=0, distance=GAP)
    positions = span.positions()
    await _set(tx, collection_id, span.photo_ids, positions)
    await tx.execute(
        f"UPDATE collections SET last_position = greatest(last_position, $2) WHERE {_COLLECTION}",
        collection_id,
        positions[0],
    )


class _Span(NamedTuple):
    """Photos in their order, to be placed in equal distances above the position `lower`, which is not theirs."""

    photo_ids: list[int]
    lower: int
    distance: int

    def positions(self) -> list[int]:
        """Return the position of each."""
        number = len(self.photo_ids)
        return [self.lower + self.distance * (number - place) for place in range(number)]


async def _around(db: Queryable, collection_id: int, position: int) -> _Span:
    """Return up to `AROUND` photos on each side of a position; the next one on each side stays where it is."""
    above = await db.fetch(
        f"SELECT photo_id, position FROM collection_items WHERE {_ITEMS} AND position >= $2 ORDER BY position LIMIT $3",
        collection_id,
        position,
        AROUND + 1,
    )
    below = await db.fetch(
        f"SELECT photo_id, position FROM collection_items WHERE {_ITEMS} AND position < $2 "
        "ORDER BY position DESC LIMIT $3",
        collection_id,
        position,
        AROUND + 1,
    )
    photo_ids = [row["photo_id"] for row in (*reversed(above[:AROUND]), *below[:AROUND])]
    lower = below[AROUND]["position"] if len(below) > AROUND else 0
    # Above the first photo of a collection is no end.
    distance = (above[AROUND]["position"] - lower) // (len(photo_ids) + 1) if len(above) > AROUND else GAP
    return _Span(photo_ids, lower, distance)


async def _all(db: Queryable, collection_id: int) -> list[int]:
    rows = await db.fetch(f"SELECT photo_id FROM collection_items WHERE {_ITEMS} ORDER BY position DESC", collection_id)
    return [row["photo_id"] for row in rows]


async def _next_below(db: Queryable, collection_id: int, photo_id: int, position: int | None) -> int:
    """Return the position of the first photo below one, or of the first of all, without `photo_id`; 0 if none is."""
    found: int | None = await db.fetchval(
        f"SELECT position FROM collection_items WHERE {_ITEMS} AND photo_id <> $2 "
        "AND ($3::bigint IS NULL OR position < $3) ORDER BY position DESC LIMIT 1",
        collection_id,
        photo_id,
        position,
    )
    return found or 0


async def _positions(db: Queryable, collection_id: int, photo_ids: Sequence[int]) -> dict[int, int]:
    rows = await db.fetch(
        f"SELECT photo_id, position FROM collection_items WHERE {_ITEMS} AND photo_id = ANY($2::bigint[])",
        collection_id,
        list(photo_ids),
    )
    return {row["photo_id"]: row["position"] for row in rows}


async def _set(tx: Transaction, collection_id: int, photo_ids: Sequence[int], positions: Sequence[int]) -> None:
    await tx.execute(
        f"""
        UPDATE collection_items i SET position = w.position
        FROM unnest($2::bigint[], $3::bigint[]) AS w (photo_id, position)
        WHERE i.shard = {shard("$1")} AND i.collection_id = $1 AND i.photo_id = w.photo_id""",
        collection_id,
        photo_ids,
        positions,
    )
