"""Uses of tags that count for the ranking of tags: in public photos of accounts that are at least a day old."""

from __future__ import annotations

from typing import NamedTuple

from storage import ids
from storage.entities import tags_of_photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTOS, Row
from storage.postgres.sharding import shard
from storage.postgres.visibility import public_to_all
from storage.trends import NEW_ACCOUNT


class TaggedPhoto(NamedTuple):
    """A photo with tags, those in its caption included; the time of the use is that of the photo's id."""

    photo_id: int
    author_id: int
    tags: list[str]


async def of_photo(db: Queryable, photo_id: int) -> list[TaggedPhoto]:
    """Return the photo if uses of its tags count."""
    rows = await db.fetch(
        f"SELECT p.id, p.author_id, p.tags, p.caption FROM {PHOTOS} "
        f"WHERE p.shard = {shard('$2')} AND p.id = $2 AND {_counts(shard('$2'))}",
        None,
        photo_id,
    )
    return [photo for photo in map(_photo_of, rows) if photo.tags]


async def newest(db: Queryable, *, since: int, before: int, limit: int) -> list[TaggedPhoto]:
    """Return the newest photos with ids from `since` to below `before` whose tags count."""
    rows = await db.fetch(
        f"/* all shards: the ranking, built again */ SELECT p.id, p.author_id, p.tags, p.caption FROM {PHOTOS} "
        f"WHERE p.id >= $2 AND p.id < $3 AND {_counts('a.shard')} ORDER BY p.id DESC LIMIT $4",
        None,
        since,
        before,
        limit,
    )
    return [photo for photo in map(_photo_of, rows) if photo.tags]


def _counts(photo_shard: str) -> str:
    # `$1` is the viewer NULL: only what a visitor may see is counted.
    return (
        "(jsonb_array_length(p.tags) > 0 OR strpos(p.caption, '#') > 0) "
        f"AND p.id - p.author_id >= {ids.span(NEW_ACCOUNT)} AND {public_to_all(photo_shard)}"
    )


def _photo_of(row: Row) -> TaggedPhoto:
    return TaggedPhoto(row["id"], row["author_id"], tags_of_photo(row["tags"], row["caption"]))
