"""The actors of entries: what entries keep about them, and the removal of one actor from inboxes.

An entry keeps the number of its actors and the newest three, which follow each change of a row of an actor. The caller
of every function that changes an inbox holds the inbox's lock (`storage.stores.inbox_lock`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard

_SHARD = shard("$1")
# The newest actor of the entry `n` besides others, which are conditions on `t`. The index `notification_actors_newest`
# is read once for each.
_NEWEST = (
    f"SELECT t.actor_id FROM notification_actors t WHERE t.shard = {_SHARD} AND t.notification_id = n.id "
    "AND t.retracted_at IS NULL {others} ORDER BY t.created_at DESC, t.actor_id DESC LIMIT 1"
)
_NEWEST_ACTORS = f"""
    SELECT array_remove(ARRAY[first.actor_id, second.actor_id, third.actor_id], NULL)
    FROM ({_NEWEST.format(others="")}) AS first
    LEFT JOIN LATERAL ({_NEWEST.format(others="AND t.actor_id <> first.actor_id")}) AS second ON true
    LEFT JOIN LATERAL (
        {_NEWEST.format(others="AND t.actor_id NOT IN (first.actor_id, second.actor_id)")}) AS third ON true"""


async def count(tx: Transaction, recipient_id: int, entry_ids: Sequence[int], *, added: int, now: datetime) -> None:
    """Add to the numbers of actors of entries and find the newest again, without news.

    An entry is deleted when it loses its last actor, and restored when it has one again, unless its recipient has
    deleted it.
    """
    if not entry_ids:
        return
    await tx.execute(
        f"""
        UPDATE notifications n SET people = n.people + $3, newest_actors = coalesce(({_NEWEST_ACTORS}), '{{}}'),
            silent = true, deleted_at = CASE
                WHEN n.people + $3 = 0 THEN coalesce(n.deleted_at, $4::timestamptz)
                WHEN n.dismissed_at IS NOT NULL OR $3 <= 0 THEN n.deleted_at END
        WHERE n.shard = {_SHARD} AND n.id = ANY($2::bigint[])""",
        recipient_id,
        list(entry_ids),
        added,
        now,
    )


async def retract_actor(tx: Transaction, *, recipient_id: int, actor_id: int, entry_ids: Sequence[int]) -> list[int]:
    """Remove a user's activities from entries of an inbox, also retracted ones; return the entries that have changed.

    Entries without actors are deleted. Entries that were deleted before are not returned.
    """
    now: datetime = await tx.fetchval("SELECT statement_timestamp()")
    rows = await tx.fetch(
        f"""
        DELETE FROM notification_actors t USING notifications n
        WHERE t.shard = {_SHARD} AND t.notification_id = ANY($3::bigint[]) AND t.actor_id = $2
          AND n.shard = {_SHARD} AND n.id = t.notification_id AND n.user_id = $1
        RETURNING n.id, t.retracted_at IS NULL AS counted, n.deleted_at IS NULL AS shown""",
        recipient_id,
        actor_id,
        entry_ids,
    )
    await count(tx, recipient_id, sorted({row["id"] for row in rows if row["counted"]}), added=-1, now=now)
    return sorted({row["id"] for row in rows if row["counted"] and row["shown"]})


async def entries_of(
    db: Queryable, actor_id: int, *, recipient_id: int | None = None, limit: int
) -> dict[int, list[int]]:
    """Return the entries of up to `limit` activities of a user, also retracted ones, by recipient.

    With `recipient_id` only those in one inbox. Without, all shards are asked.
    """
    if recipient_id is None:
        rows = await db.fetch(
            """
            /* all shards: the inboxes that have activities of an account */
            SELECT n.user_id, n.id FROM notification_actors t
            JOIN notifications n ON n.id = t.notification_id AND n.shard = t.shard
            WHERE t.actor_id = $1 LIMIT $2""",
            actor_id,
            limit,
        )
    else:
        rows = await db.fetch(
            f"""
            SELECT n.user_id, n.id FROM notification_actors t
            JOIN notifications n ON n.id = t.notification_id AND n.shard = t.shard
            WHERE t.shard = {_SHARD} AND t.actor_id = $2 AND n.user_id = $1 LIMIT $3""",
            recipient_id,
            actor_id,
            limit,
        )
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(row["user_id"], []).append(row["id"])
    return {user_id: sorted(set(entry_ids)) for user_id, entry_ids in sorted(found.items())}
