"""The photos that search engines may index."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTOS
from storage.postgres.visibility import found


class IndexedPhoto(NamedTuple):
    """A photo by its id, the username of its author, and when it last changed."""

    id: int
    username: str
    changed_at: datetime


async def newest(db: Queryable, *, limit: int) -> list[IndexedPhoto]:
    """Return the newest photos that everyone may see, of authors who let searches find them, without sensitive ones."""
    rows = await db.fetch(
        "/* all shards: the newest of all */ "
        f"SELECT p.id, a.username, coalesce(p.edited_at, p.created_at) AS changed_at FROM {PHOTOS} "
        f"WHERE {found('a.shard')} AND NOT p.marked_sensitive "
        "AND p.moderation ->> 'action' IS DISTINCT FROM 'sensitive' "
        "ORDER BY p.id DESC LIMIT $2",
        None,
        limit,
    )
    return [IndexedPhoto(row["id"], row["username"], row["changed_at"]) for row in rows]
