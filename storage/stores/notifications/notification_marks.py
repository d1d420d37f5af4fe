"""Marks of notifications: seen, which means shown on a screen, and read, which means opened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from storage.notifications import NotificationKind, NotificationMark
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

_SHARD = shard("$1")
# The entries $2 of the inbox $1, or all with NULL, with positions up to $3 and of the kinds $4 unless these are NULL.
_CHOSEN = (
    f"shard = {_SHARD} AND user_id = $1 AND ($2::bigint[] IS NULL OR id = ANY($2)) "
    "AND ($3::bigint IS NULL OR position <= $3) AND ($4::text[] IS NULL OR kind = ANY($4)) "
    "AND read_at IS NULL AND deleted_at IS NULL"
)


class Selection(NamedTuple):
    """Entries of an inbox: those with these ids, positions up to `up_to`, and kinds as users read them.

    None is no condition. Entries with a greater position have activities that were not shown.
    """

    entry_ids: Sequence[int] | None = None
    up_to: int | None = None
    kinds: Collection[NotificationKind] | None = None

    def parameters(self) -> tuple[Sequence[int] | None, int | None, list[str] | None]:
        """Return the parameters of a statement; the kinds are those of which rows are."""
        if self.kinds is None:
            return self.entry_ids, self.up_to, None
        return self.entry_ids, self.up_to, sorted({stored.value for kind in self.kinds for stored in kind.stored})


async def mark_seen(tx: Transaction, user_id: int, chosen: Selection) -> int:
    """Mark entries as seen on the screen; return how many changed. The caller holds the inbox's lock."""
    return await tx.execute(
        f"UPDATE notifications SET seen_at = now() WHERE {_CHOSEN} AND seen_at IS NULL", user_id, *chosen.parameters()
    )


async def mark_read(tx: Transaction, user_id: int, chosen: Selection) -> int:
    """Mark entries as read and thereby as seen; return how many changed. The caller holds the inbox's lock."""
    return await tx.execute(f"UPDATE notifications SET read_at = now() WHERE {_CHOSEN}", user_id, *chosen.parameters())


async def marked(db: Queryable, user_id: int, mark: NotificationMark, *, limit: int) -> list[int]:
    """Return the ids of the entries at the top of an inbox that have a mark, among the `limit` newest."""
    rows = await db.fetch(
        "SELECT id FROM (SELECT id, seen_at, read_at FROM notifications "
        f"WHERE shard = {_SHARD} AND user_id = $1 AND deleted_at IS NULL ORDER BY position DESC LIMIT $2) AS newest "
        "WHERE CASE WHEN $3 THEN read_at ELSE coalesce(seen_at, read_at) END IS NOT NULL",
        user_id,
        limit,
        mark is NotificationMark.READ,
    )
    return [row["id"] for row in rows]
