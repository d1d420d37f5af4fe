"""Removal of old notifications, in batches that hold locks only briefly."""

from __future__ import annotations

from datetime import timedelta

from storage import ids
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard

_ENTRIES = 100  # whose actors one transaction looks for; an entry may have any number of them


async def purge(tx: Transaction, *, older_than: timedelta, now: float, limit: int) -> int:
    """Delete up to `limit` rows of notifications that began so long before `now`, in seconds since the Unix epoch.

    Return their number. The actors of an entry are deleted before it.
    """
    # The time is in the id, so that the primary key finds them. No activity is added to an entry after a day.
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT n.id FROM notifications n WHERE n.id < $1 ORDER BY n.id LIMIT $2",
        ids.first_id_at(now - older_than.total_seconds()),
        min(limit, _ENTRIES),
    )
    deleted = 0
    for row in rows:
        actors = await tx.execute(
            f"DELETE FROM notification_actors WHERE shard = {shard('$1')} AND notification_id = $1 "
            "AND (actor_id, source_id) IN (SELECT actor_id, source_id FROM notification_actors "
            f"WHERE shard = {shard('$1')} AND notification_id = $1 LIMIT $2)",
            row["id"],
            limit - deleted,
        )
        deleted += actors
        if deleted >= limit:
            break  # the rest of its actors, and itself, are of the next batch
        deleted += await tx.execute(f"DELETE FROM notifications WHERE shard = {shard('$1')} AND id = $1", row["id"])
    return deleted
