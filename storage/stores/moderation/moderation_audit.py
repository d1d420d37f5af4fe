"""The audit log of cases, which only grows: the database refuses any other change by a trigger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage import ids
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.reports import AuditEntry


async def add(
    tx: Transaction, case_id: int, action: str, *, actor_id: int | None, details: Mapping[str, Any] | None = None
) -> None:
    """Add an entry to the log of a case; `details` holds texts and numbers alone, and nothing of a reporter."""
    await tx.execute(
        "INSERT INTO moderation_audit (shard, id, case_id, actor_id, action, details) "
        f"VALUES ({shard('$1')}, $1, $2, $3, $4, $5)",
        tx.new_id(ids.shard_of(case_id)),
        case_id,
        actor_id,
        action,
        dict(details or {}),
    )


async def of_case(db: Queryable, case_id: int, *, limit: int) -> list[AuditEntry]:
    """Return the entries of a case, oldest first."""
    rows = await db.fetch(
        "SELECT u.id, u.case_id, u.actor_id, u.action, u.details, u.created_at FROM moderation_audit u "
        f"WHERE u.shard = {shard('$1')} AND u.case_id = $1 ORDER BY u.id LIMIT $2",
        case_id,
        limit,
    )
    return [AuditEntry(**dict(row)) for row in rows]
