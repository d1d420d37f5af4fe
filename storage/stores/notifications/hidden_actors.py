"""Activities of accounts that are hidden for some time: suspended, or deleted until that is final.

Their rows are retracted, so that they leave the texts and numbers of their entries, and `hidden` says that they return
with the account. Entries of which nothing is left are deleted until then. The caller of every function that changes an
inbox holds the inbox's lock (`storage.stores.inbox_lock`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.stores.notifications import notification_actors
from storage.stores.notifications.notification_lookup import look_up

_SHARD = shard("$1")
Bound = tuple[int, int]  # (source id, entry id): a point in the order of an account's activities


class Placed(NamedTuple):
    """An activity and the entry that has it."""

    activity: Activity
    entry_id: int


async def activities(db: Queryable, actor_id: int, *, after: Bound, limit: int) -> list[Placed]:
    """Return activities of an account that are shown or hidden, by (source id, entry id), after `after`."""
    rows = await db.fetch(
        """
        /* all shards: the inboxes that have activities of an account */
        SELECT n.user_id, n.kind, n.photo_id, t.notification_id, t.source_id FROM notification_actors t
        JOIN notifications n ON n.id = t.notification_id AND n.shard = t.shard
        WHERE t.actor_id = $1 AND (t.source_id, t.notification_id) > ($2::bigint, $3::bigint)
          AND (t.hidden OR t.retracted_at IS NULL)
        ORDER BY t.source_id, t.notification_id LIMIT $4""",
        actor_id,
        *after,
        limit,
    )
    return [
        Placed(
            Activity(
                recipient_id=row["user_id"],
                kind=NotificationKind(row["kind"]),
                actor_id=actor_id,
                photo_id=row["photo_id"],
                source_id=row["source_id"],
            ),
            row["notification_id"],
        )
        for row in rows
    ]


async def hide(tx: Transaction, recipient_id: int, actor_id: int, entry_ids: Sequence[int]) -> list[int]:
    """Take an account out of entries of an inbox; return those that have changed."""
    rows = await tx.fetch(
        "UPDATE notification_actors t SET retracted_at = now(), hidden = true "
        f"WHERE t.shard = {_SHARD} AND t.notification_id = ANY($3::bigint[]) AND t.actor_id = $2 "
        "AND t.retracted_at IS NULL AND EXISTS (SELECT 1 FROM notifications n "
        f"WHERE n.shard = {_SHARD} AND n.id = t.notification_id AND n.user_id = $1) RETURNING t.notification_id",
        recipient_id,
        actor_id,
        list(entry_ids),
    )
    changed = sorted({row["notification_id"] for row in rows})
    now: datetime = await tx.fetchval("SELECT statement_timestamp()")
    await notification_actors.count(tx, recipient_id, changed, added=-1, now=now)
    return changed


async def show(tx: Transaction, placed: Placed) -> bool:
    """Return a hidden activity to its entry, unless it does not hold any more; return whether the entry has changed."""
    activity = placed.activity
    found = await look_up(tx, activity)
    back = found is not None and found.holds and found.allowed and (found.recorded is None or found.retracted)
    row = await tx.fetchrow(
        f"""
        UPDATE notification_actors t SET hidden = false, retracted_at = CASE WHEN $5 THEN NULL ELSE t.retracted_at END
        WHERE t.shard = {_SHARD} AND t.notification_id = $2 AND t.actor_id = $3 AND t.source_id = $4 AND t.hidden
        RETURNING EXISTS (
            SELECT 1 FROM notification_actors o WHERE o.shard = {_SHARD} AND o.notification_id = $2
              AND o.actor_id = $3 AND o.source_id <> $4 AND o.retracted_at IS NULL) AS counted""",
        activity.recipient_id,
        placed.entry_id,
        activity.actor_id,
        activity.source_id,
        back,
    )
    if found is None or row is None or not back:
        return False
    added = 0 if row["counted"] else 1
    await notification_actors.count(tx, activity.recipient_id, [placed.entry_id], added=added, now=found.now)
    return True
