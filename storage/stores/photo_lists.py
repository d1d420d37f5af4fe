"""Lists of photos, newest first. Each page begins below an id, so that none is missed or repeated."""

from __future__ import annotations

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTO, PHOTOS, photo_of
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import readable, shown


async def newest(db: Queryable, *, viewer_id: int | None, before: int | None, limit: int) -> list[Photo]:
    """Return the newest photos of public accounts, with ids below `before`."""
    rows = await db.fetch(
        f"/* all shards: the newest of all */ SELECT {PHOTO} FROM {PHOTOS} "
        f"WHERE p.id < $2 AND NOT a.private AND {shown('a.shard')} ORDER BY p.id DESC LIMIT $3",
        viewer_id,
        _bound(before),
        limit,
    )
    return [photo_of(row) for row in rows]


async def by_tag(db: Queryable, tag: str, *, viewer_id: int | None, before: int | None, limit: int) -> list[Photo]:
    """Return photos with a tag, compared exactly, with ids below `before`."""
    rows = await db.fetch(
        f"/* all shards: by a tag */ SELECT {PHOTO} FROM photo_tags t "
        "JOIN photos p ON p.id = t.photo_id AND p.shard = t.shard "
        "JOIN users a ON a.id = p.author_id AND a.shard = t.shard "
        f"WHERE t.tag = $2 AND t.photo_id < $3 AND {shown('a.shard')} ORDER BY t.photo_id DESC LIMIT $4",
        viewer_id,
        tag,
        _bound(before),
        limit,
    )
    return [photo_of(row) for row in rows]


async def by_author(
    db: Queryable, author_id: int, *, viewer_id: int | None, before: int | None, limit: int
) -> list[Photo]:
    """Return an author's photos that the viewer may see, with ids below `before`; authors see every state."""
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM {PHOTOS} WHERE p.shard = {shard('$2')} AND p.author_id = $2 AND p.id < $3 "
        f"AND {readable(shard('$2'))} ORDER BY p.id DESC LIMIT $4",
        viewer_id,
        author_id,
        _bound(before),
        limit,
    )
    return [photo_of(row) for row in rows]


async def home_ids(db: Queryable, viewer_id: int, *, before: int | None, limit: int) -> list[int]:
    """Return the ids of a home feed's photos below `before`: the viewer's own and those of followed users.

    Muted and blocked users are left out. At most `limit` ids of each author are read from the index, so that
    the cost of a page does not depend on the number of photos.
    """
    authors = [*await _followees(db, viewer_id), viewer_id]
    # The join begins with the accounts, whose shards can be named; on a cluster each server reads those that it has.
    rows = await db.fetch(
        """
        SELECT own.id FROM users a
        CROSS JOIN LATERAL (
            SELECT p.id FROM photos p
            WHERE p.shard = a.shard AND p.author_id = a.id AND p.id < $3
              AND p.state = 'ready' AND p.deleted_at IS NULL
            ORDER BY p.id DESC LIMIT $4
        ) AS own
        WHERE a.shard = ANY($1::integer[]) AND a.id = ANY($2::bigint[]) AND a.deleted_at IS NULL
        ORDER BY own.id DESC LIMIT $4""",
        shards(authors),
        authors,
        _bound(before),
        limit,
    )
    return [row["id"] for row in rows]


async def author_ids(db: Queryable, author_id: int, *, before: int | None = None, limit: int) -> list[int]:
    """Return the ids of an author's newest ready photos below `before`."""
    rows = await db.fetch(
        f"SELECT id FROM photos WHERE shard = {shard('$1')} AND author_id = $1 AND id < $2 "
        "AND state = 'ready' AND deleted_at IS NULL ORDER BY id DESC LIMIT $3",
        author_id,
        _bound(before),
        limit,
    )
    return [row["id"] for row in rows]


async def _followees(db: Queryable, viewer_id: int) -> list[int]:
    rows = await db.fetch(
        f"""
        SELECT f.followee_id FROM following f WHERE f.shard = {shard("$1")} AND f.follower_id = $1
          AND NOT EXISTS (SELECT 1 FROM blocks b
              WHERE b.shard = {shard("$1")} AND b.owner_id = $1 AND b.other_id = f.followee_id)
          AND NOT EXISTS (SELECT 1 FROM mutes m
              WHERE m.shard = {shard("$1")} AND m.owner_id = $1 AND m.other_id = f.followee_id AND m.outgoing)""",
        viewer_id,
    )
    return [row["followee_id"] for row in rows]


def _bound(before: int | None) -> int:
    return MAX_ID if before is None else before
