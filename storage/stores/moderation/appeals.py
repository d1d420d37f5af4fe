"""Appeals against decisions, one for each."""

from __future__ import annotations

from datetime import datetime

from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.reports import Appeal, AppealState, Decision

_COLUMNS = "p.decision_id, p.case_id, p.owner_id, p.text, p.state, p.answered_by, p.answer, p.created_at, p.answered_at"
_APPEAL = f"p.shard = {shard('$1')} AND p.decision_id = $1"


async def add(tx: Transaction, decision: Decision, text: str) -> Appeal:
    """Add the appeal against a decision; raise `ConflictError` already_appealed."""
    row = await tx.fetchrow(
        f"INSERT INTO moderation_appeals AS p (shard, decision_id, case_id, owner_id, text) "
        f"VALUES ({shard('$1')}, $1, $2, $3, $4) ON CONFLICT (decision_id, shard) DO NOTHING RETURNING {_COLUMNS}",
        decision.id,
        decision.case_id,
        decision.owner_id,
        text,
    )
    if row is None:
        raise ConflictError("already_appealed", "You have appealed against this decision before.")
    return _appeal_of(row)


async def get(db: Queryable, decision_id: int) -> Appeal:
    """Return the appeal against a decision; raise `NotFoundError("appeal")`."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM moderation_appeals p WHERE {_APPEAL}", decision_id)
    if row is None:
        raise NotFoundError("appeal")
    return _appeal_of(row)


async def answer(tx: Transaction, decision_id: int, *, state: AppealState, answered_by: int, answer: str) -> Appeal:
    """Answer an appeal; raise `NotFoundError("appeal")`, and `ConflictError` already_answered."""
    row = await tx.fetchrow(
        f"UPDATE moderation_appeals p SET state = $2, answered_by = $3, answer = $4, answered_at = now() "
        f"WHERE {_APPEAL} AND p.state = 'pending' RETURNING {_COLUMNS}",
        decision_id,
        state.value,
        answered_by,
        answer,
    )
    if row is None:
        await get(tx, decision_id)
        raise ConflictError("already_answered", "This appeal was answered before.")
    return _appeal_of(row)


async def pending(db: Queryable, *, after: tuple[datetime, int] | None = None, limit: int) -> list[Appeal]:
    """Return the appeals that wait for an answer, the oldest first, after a time and a decision."""
    rows = await db.fetch(
        f"/* all shards: the queue of moderators */ SELECT {_COLUMNS} FROM moderation_appeals p "
        "WHERE p.state = 'pending' AND ($1::timestamptz IS NULL OR (p.created_at, p.decision_id) > ($1, $2::bigint)) "
        "ORDER BY p.created_at, p.decision_id LIMIT $3",
        *(after or (None, None)),
        limit,
    )
    return [_appeal_of(row) for row in rows]


async def of_case(db: Queryable, case_id: int) -> list[Appeal]:
    """Return the appeals against the decisions about a case, oldest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM moderation_appeals p JOIN moderation_decisions d ON d.id = p.decision_id "
        f"AND d.shard = p.shard WHERE d.shard = {shard('$1')} AND d.case_id = $1 ORDER BY p.created_at",
        case_id,
    )
    return [_appeal_of(row) for row in rows]


def _appeal_of(row: Row) -> Appeal:
    return Appeal(**{**dict(row), "state": AppealState(row["state"])})
