"""Activities that wait to be recorded or retracted in a busy inbox, in PostgreSQL.

A worker puts an activity here instead of waiting for the inbox's lock. The next change of the inbox handles it, and
removes it once that is published: so a crash in between repeats it, as it repeats an event.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage import ids
from storage.notifications import Activity
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores.notifications import security_notices

_SHARD = shard("$1")
# Whether activities wait for the inbox $1.
WAITING = f"EXISTS (SELECT 1 FROM waiting_activities WHERE shard = {_SHARD} AND recipient_id = $1)"


async def add(tx: Transaction, *, operation: str, activity: Activity) -> None:
    """Add an activity; `operation` says what is to be done with it."""
    await tx.insert(
        ids.shard_of(activity.recipient_id),
        "INSERT INTO waiting_activities "
        "(shard, id, operation, recipient_id, kind, actor_id, photo_id, source_id, details) "
        f"VALUES ({_SHARD}, $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id, shard) DO NOTHING RETURNING id",
        operation,
        activity.recipient_id,
        activity.kind.value,
        activity.actor_id,
        activity.photo_id,
        activity.source_id,
        security_notices.to_document(activity.security),
    )


async def first(db: Queryable, recipient_id: int, *, limit: int) -> Sequence[Row]:
    """Return up to `limit` activities of an inbox, oldest first."""
    return await db.fetch(
        "SELECT id, operation, recipient_id, kind, actor_id, photo_id, source_id, details FROM waiting_activities "
        f"WHERE shard = {_SHARD} AND recipient_id = $1 ORDER BY id LIMIT $2",
        recipient_id,
        limit,
    )


async def remove(tx: Transaction, recipient_id: int, row_ids: Sequence[int]) -> None:
    """Remove activities of an inbox that are handled and published."""
    await tx.execute(
        f"DELETE FROM waiting_activities WHERE shard = {_SHARD} AND recipient_id = $1 AND id = ANY($2::bigint[])",
        recipient_id,
        row_ids,
    )


async def waiting(db: Queryable, recipient_id: int) -> bool:
    """Return whether activities wait for an inbox."""
    found: bool = await db.fetchval(f"SELECT {WAITING}", recipient_id)
    return found
