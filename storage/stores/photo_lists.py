"""Lists of photos, newest first. Each page begins below an id, so that none is missed or repeated."""

from __future__ import annotations

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTO, PHOTOS, photo_of
from storage.postgres.visibility import READABLE, SHOWN, unblocked


async def newest(db: Queryable, *, viewer_id: int | None, before: int | None, limit: int) -> list[Photo]:
    """Return the newest photos of public accounts, with ids below `before`."""
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM {PHOTOS} WHERE p.id < $2 AND NOT a.private AND {SHOWN} ORDER BY p.id DESC LIMIT $3",
        viewer_id,
        _bound(before),
        limit,
    )
    return [photo_of(row) for row in rows]


async def by_tag(db: Queryable, tag: str, *, viewer_id: int | None, before: int | None, limit: int) -> list[Photo]:
    """Return photos with a tag, compared exactly, with ids below `before`."""
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM photo_tags t JOIN photos p ON p.id = t.photo_id JOIN users a ON a.id = p.author_id "
        f"WHERE t.tag = $2 AND t.photo_id < $3 AND {SHOWN} ORDER BY t.photo_id DESC LIMIT $4",
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
        f"SELECT {PHOTO} FROM {PHOTOS} WHERE p.author_id = $2 AND p.id < $3 AND {READABLE} ORDER BY p.id DESC LIMIT $4",
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
    rows = await db.fetch(
        f"""
        SELECT own.id FROM (
            SELECT a.id AS author_id FROM follows f JOIN users a ON a.id = f.followee_id
            WHERE f.follower_id = $1 AND a.deleted_at IS NULL AND {unblocked("a.id")}
              AND NOT EXISTS (SELECT FROM mutes m WHERE m.muter_id = $1 AND m.muted_id = a.id)
            UNION ALL SELECT $1::bigint
        ) AS read
        CROSS JOIN LATERAL (
            SELECT p.id FROM photos p
            WHERE p.author_id = read.author_id AND p.id < $2
              AND p.state = 'ready' AND p.deleted_at IS NULL
            ORDER BY p.id DESC LIMIT $3
        ) AS own
        ORDER BY own.id DESC LIMIT $3""",
        viewer_id,
        _bound(before),
        limit,
    )
    return [row["id"] for row in rows]


async def author_ids(db: Queryable, author_id: int, *, before: int | None = None, limit: int) -> list[int]:
    """Return the ids of an author's newest ready photos below `before`."""
    rows = await db.fetch(
        "SELECT id FROM photos WHERE author_id = $1 AND id < $2 AND state = 'ready' AND deleted_at IS NULL "
        "ORDER BY id DESC LIMIT $3",
        author_id,
        _bound(before),
        limit,
    )
    return [row["id"] for row in rows]


def _bound(before: int | None) -> int:
    return MAX_ID if before is None else before
