"""Activities that wait to be recorded or retracted in a busy inbox, in PostgreSQL.

A worker puts an activity here instead of waiting for the inbox's lock. The next change of the inbox handles it, and
removes it once that is published: so a crash in between repeats it, as it repeats an event.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row

# Whether activities wait for the inbox $1.
WAITING = "EXISTS (SELECT FROM waiting_activities WHERE recipient_id = $1)"


async def add(
    tx: Transaction,
    *,
    operation: str,
    recipient_id: int,
    kind: str,
    actor_id: int | None,
    photo_id: int | None,
    source_id: int,
) -> None:
    """Add an activity; `operation` says what is to be done with it, the rest identifies it."""
    await tx.execute(
        "INSERT INTO waiting_activities (operation, recipient_id, kind, actor_id, photo_id, source_id) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        operation,
        recipient_id,
        kind,
        actor_id,
        photo_id,
        source_id,
    )


async def first(db: Queryable, recipient_id: int, *, limit: int) -> Sequence[Row]:
    """Return up to `limit` activities of an inbox, oldest first."""
    return await db.fetch(
        "SELECT id, operation, recipient_id, kind, actor_id, photo_id, source_id FROM waiting_activities "
        "WHERE recipient_id = $1 ORDER BY id LIMIT $2",
        recipient_id,
        limit,
    )


async def remove(tx: Transaction, row_ids: Sequence[int]) -> None:
    """Remove activities that are handled and published."""
    await tx.execute("DELETE FROM waiting_activities WHERE id = ANY($1::bigint[])", row_ids)


async def waiting(db: Queryable, recipient_id: int) -> bool:
    """Return whether activities wait for an inbox."""
    found: bool = await db.fetchval(f"SELECT {WAITING}", recipient_id)
    return found
