"""The numbers of photos by tag, counted in the background for the tags that a change has marked.

A count reads all photos of a tag, so it follows the change of a popular tag later than that of a rare one. Two
processes may count the same tag: a mark that has changed since it was read stays, and of two counts the one that began
later is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from storage import search_text
from storage.postgres.database import Queryable, Transaction
from storage.postgres.visibility import found

MAX_COUNT = 500_000  # photos that are counted of one tag
_MARKS = 2_000  # that are read at once
# Counting takes some 10 µs a photo. With this pause after it, a popular tag takes a thousandth of a connection's time.
_PAUSE = "greatest(photos - 100, 0) * interval '10 milliseconds'"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedTag:
    """A tag whose photos are to be counted: its marks by shard, and when they were read."""

    tag: str
    marks: Mapping[int, datetime]
    read_at: datetime


async def marked(db: Queryable) -> list[MarkedTag]:
    """Return tags whose photos are to be counted now, those that were marked first at the beginning."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ "
        "SELECT shard, tag, marked_at, now() AS read_at FROM tag_recounts ORDER BY marked_at LIMIT $1",
        _MARKS,
    )
    marks: dict[str, dict[int, datetime]] = {}
    for row in rows:
        marks.setdefault(row["tag"], {})[row["shard"]] = row["marked_at"]
    later = await _counted_just_now(db, list(marks))
    return [MarkedTag(tag=tag, marks=of, read_at=rows[0]["read_at"]) for tag, of in marks.items() if tag not in later]


async def count(db: Queryable, tag: str) -> int:
    """Return the number of a tag's photos that everyone may find, `MAX_COUNT` at most."""
    number: int = await db.fetchval(
        "/* all shards: by a tag */ SELECT count(*) FROM (SELECT 1 FROM photo_tags t "
        "JOIN photos p ON p.id = t.photo_id AND p.shard = t.shard "
        "JOIN users a ON a.id = p.author_id AND a.shard = t.shard "
        f"WHERE t.tag = $2 AND {found('a.shard')} LIMIT $3) AS photos",
        None,
        tag,
        MAX_COUNT,
    )
    return number


async def store(tx: Transaction, one: MarkedTag, photos: int) -> None:
    """Store the count of a tag, unless a later one is stored, and delete the marks that it is about."""
    if photos:
        await tx.execute(
            """
            INSERT INTO tags AS t (tag, key, photos, counted_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (tag) DO UPDATE SET photos = excluded.photos, counted_at = excluded.counted_at
            WHERE t.counted_at < excluded.counted_at""",
            one.tag,
            search_text.key(one.tag).replace(" ", ""),
            photos,
            one.read_at,
        )
    else:
        await tx.execute("DELETE FROM tags WHERE tag = $1 AND counted_at < $2", one.tag, one.read_at)
    await tx.execute(
        "/* all shards: the janitor's */ DELETE FROM tag_recounts r USING unnest($2::integer[], $3::timestamptz[]) "
        "AS read (shard, marked_at) WHERE r.tag = $1 AND r.shard = read.shard AND r.marked_at = read.marked_at",
        one.tag,
        list(one.marks),
        list(one.marks.values()),
    )


async def _counted_just_now(db: Queryable, tags: Sequence[str]) -> set[str]:
    rows = await db.fetch(
        f"SELECT tag FROM tags WHERE tag = ANY($1::text[]) AND counted_at > now() - {_PAUSE}", list(tags)
    )
    return {row["tag"] for row in rows}
