"""Search for tags: those that begin with what was typed, then those that have it within or are similar, by photos."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from storage.postgres.database import Queryable
from storage.postgres.rows import Row
from storage.postgres.trigrams import similar, threshold
from storage.postgres.visibility import found
from storage.search_text import SHORT, SearchedText

MAX_FOUND = 100
FEW = 5  # fewer results are completed by tags that have the text within, or are similar
_SIMILAR = 20
_SIMILAR_KEY = 4  # letters of a search from which on similar tags are found
_AFTER_ANY_KEY = "~"  # sorts after every character of a key

Position = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundTag:
    """A tag, the number of its photos that everyone may find, and the position in the order of all results."""

    tag: str
    photos: int
    position: Position


async def search(db: Queryable, searched: SearchedText, results: list[FoundTag], *, parts: bool) -> None:
    """Append up to `MAX_FOUND` tags, the best first; without `parts` only those that begin with the text.

    Spaces count as nothing, so "new york" finds the tag newyork.
    """
    key = "".join(searched.keys)
    if not key:
        return
    _append(results, await _beginning_with(db, key), 0)
    if parts and len(results) < FEW and len(key) > SHORT:
        _append(results, await _containing(db, key), 1)
        if len(results) < FEW and len(key) >= _SIMILAR_KEY:
            _append(results, await _similar(db, key), 2)
    # The numbers are those of a while ago. A tag whose last photo was just hidden would disclose that it was there.
    shown = await _with_photos(db, [one.tag for one in results])
    results[:] = sorted((one for one in results if one.tag in shown), key=lambda one: one.position)[:MAX_FOUND]


async def _beginning_with(db: Queryable, key: str) -> Sequence[Row]:
    return await db.fetch(
        "/* all shards: tags are found by their beginning */ SELECT tag, photos FROM tags t "
        "WHERE t.key ~>=~ $1 AND t.key ~<~ $2 ORDER BY photos DESC, tag LIMIT $3",
        key,
        key + _AFTER_ANY_KEY,
        MAX_FOUND,
    )


async def _containing(db: Queryable, key: str) -> Sequence[Row]:
    return await db.fetch(
        "/* all shards: tags are found by their parts */ WITH hits AS MATERIALIZED ("
        "SELECT tag, photos FROM tags t WHERE (' ' || t.key) LIKE $1) "
        "SELECT tag, photos FROM hits ORDER BY photos DESC, tag LIMIT $2",
        f"%{key}%",
        MAX_FOUND,
    )


async def _similar(db: Queryable, key: str) -> Sequence[Row]:
    columns, order = "t.tag, t.photos", "t.photos DESC, t.tag"
    closest = similar(columns, "tags t", "(' ' || t.key)", order, typed="$1", least="$2")
    sql = f"/* all shards: tags are found by their parts */ {closest} LIMIT {_SIMILAR}"
    return await db.fetch(sql, key, threshold(key))


async def _with_photos(db: Queryable, tags: Sequence[str]) -> set[str]:
    if not tags:
        return set()
    # Not EXISTS, from which PostgreSQL makes a join that reads all photos of these tags.
    rows = await db.fetch(
        "/* all shards: by a tag */ SELECT tag FROM unnest($2::text[]) AS tag, LATERAL ("
        "SELECT 1 FROM photo_tags t JOIN photos p ON p.id = t.photo_id AND p.shard = t.shard "
        "JOIN users a ON a.id = p.author_id AND a.shard = t.shard "
        f"WHERE t.tag = tag.tag AND {found('a.shard')} LIMIT 1) AS shown",
        None,
        list(tags),
    )
    return {row["tag"] for row in rows}


def _append(results: list[FoundTag], rows: Sequence[Row], tier: int) -> None:
    listed = {one.tag for one in results}
    for row in rows:
        if row["tag"] not in listed:
            # Tags may be longer than a cursor, so a number of each decides between two with as many photos.
            number = int.from_bytes(hashlib.blake2b(row["tag"].encode(), digest_size=6).digest(), "big")
            closeness = round(100 - row["similarity"] * 100) if "similarity" in row.keys() else 0  # noqa: SIM118
            position = (tier, closeness, -row["photos"], number)
            results.append(FoundTag(tag=row["tag"], photos=row["photos"], position=position))
