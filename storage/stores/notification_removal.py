"""Removal of entries about what is deleted: a comment, or a photo below which others were notified of something.

The caller of every function that changes an inbox holds the inbox's lock (`storage.stores.inbox_lock`).
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

_OWN = f"n.shard = {shard('$1')} AND n.user_id = $1 AND n.deleted_at IS NULL"
_DELETE = "UPDATE notifications n SET deleted_at = now(), silent = true"


async def about_comment(tx: Transaction, recipient_id: int, comment_id: int) -> list[int]:
    """Delete the entries of an inbox about a comment, of which it has few; return their ids."""
    rows = await tx.fetch(f"{_DELETE} WHERE {_OWN} AND n.comment_id = $2 RETURNING n.id", recipient_id, comment_id)
    return [row["id"] for row in rows]


async def entries(tx: Transaction, recipient_id: int, entry_ids: Sequence[int]) -> list[int]:
    """Delete entries of an inbox; return the ids of those that were not deleted yet."""
    rows = await tx.fetch(
        f"{_DELETE} WHERE {_OWN} AND n.id = ANY($2::bigint[]) RETURNING n.id", recipient_id, list(entry_ids)
    )
    return [row["id"] for row in rows]


async def about_photos(db: Queryable, photo_ids: Sequence[int], *, limit: int) -> dict[int, list[int]]:
    """Return up to `limit` entries about photos, by recipient."""
    rows = await db.fetch(
        """
        /* all shards: the inboxes that have entries about photos */
        SELECT user_id, id FROM notifications WHERE photo_id = ANY($1::bigint[]) AND deleted_at IS NULL LIMIT $2""",
        list(photo_ids),
        limit,
    )
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(row["user_id"], []).append(row["id"])
    return {user_id: sorted(entry_ids) for user_id, entry_ids in sorted(found.items())}
