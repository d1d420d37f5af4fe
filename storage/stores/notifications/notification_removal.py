"""Removal of entries: by their recipients, and of those about a deleted comment or photo.

The caller of every function that changes an inbox holds the inbox's lock (`storage.stores.inbox_lock`).
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.notifications.notification_marks import Selection

_OWN = f"n.shard = {shard('$1')} AND n.user_id = $1 AND n.deleted_at IS NULL"
_DELETE = "UPDATE notifications n SET deleted_at = now(), silent = true"
# Such an entry takes no further activities, also once that is undone: the group may have another one by then.
_DISMISS = f"{_DELETE}, dismissed_at = now(), closed_at = now()"
_UNDO_FOR = "interval '1 hour'"
_DISMISSED = f"n.shard = {shard('$1')} AND n.user_id = $1 AND n.id = $2 AND n.dismissed_at IS NOT NULL"


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


async def dismiss(tx: Transaction, recipient_id: int, entry_id: int) -> bool:
    """Delete an entry for its recipient; return False if that was done before. Raises `NotFoundError`."""
    if await tx.execute(f"{_DISMISS} WHERE {_OWN} AND n.id = $2", recipient_id, entry_id):
        return True
    if await tx.fetchval(f"SELECT 1 FROM notifications n WHERE {_DISMISSED}", recipient_id, entry_id) is None:
        raise NotFoundError("notification")
    return False


async def dismiss_read(tx: Transaction, recipient_id: int, chosen: Selection, *, limit: int) -> int:
    """Delete up to `limit` of the chosen entries that are read, for their recipient; return their number."""
    return await tx.execute(
        f"""
        {_DISMISS} WHERE n.shard = {shard("$1")} AND n.id IN (
            SELECT n.id FROM notifications n WHERE {_OWN} AND ($2::bigint[] IS NULL OR n.id = ANY($2))
              AND ($3::bigint IS NULL OR n.position <= $3) AND ($4::text[] IS NULL OR n.kind = ANY($4))
              AND n.read_at IS NOT NULL LIMIT $5)""",
        recipient_id,
        *chosen.parameters(),
        limit,
    )


async def undo(tx: Transaction, recipient_id: int, entry_id: int) -> None:
    """Undo that a recipient has deleted an entry within the last hour.

    Raises `NotFoundError` if there is none to restore, as where all its activities were retracted meanwhile.
    """
    restored = await tx.execute(
        f"""
        UPDATE notifications n SET deleted_at = NULL, dismissed_at = NULL, silent = true
        WHERE {_DISMISSED} AND n.dismissed_at > now() - {_UNDO_FOR}
          AND (n.people > 0 OR NOT EXISTS (
              SELECT 1 FROM notification_actors t WHERE t.shard = {shard("$1")} AND t.notification_id = n.id))
          AND NOT EXISTS (
              SELECT 1 FROM photos p
              WHERE p.shard = {shard("$1")} AND p.id = n.photo_id AND p.deleted_at IS NOT NULL)""",
        recipient_id,
        entry_id,
    )
    if not restored:
        raise NotFoundError("notification")


async def dismissed(db: Queryable, recipient_id: int, *, limit: int) -> list[int]:
    """Return the newest entries that a recipient has deleted."""
    rows = await db.fetch(
        f"SELECT n.id FROM notifications n WHERE n.shard = {shard('$1')} AND n.user_id = $1 "
        "AND n.dismissed_at IS NOT NULL ORDER BY n.position DESC LIMIT $2",
        recipient_id,
        limit,
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


async def of_posts(db: Queryable, photo_id: int, *, after: int, limit: int) -> list[tuple[int, int]]:
    """Return up to `limit` entries about the posting of a photo with ids above `after`, as (entry, recipient)."""
    rows = await db.fetch(
        """
        /* all shards: the inboxes that have entries about photos */
        SELECT id, user_id FROM notifications
        WHERE photo_id = $1 AND deleted_at IS NULL AND kind = 'post_by' AND id > $2 ORDER BY id LIMIT $3""",
        photo_id,
        after,
        limit,
    )
    return [(row["id"], row["user_id"]) for row in rows]
