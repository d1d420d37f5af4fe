"""Decisions about cases: they are added and never changed, which the database enforces by a trigger.

Whether a decision holds is read from later rows: a decision that undoes it, and the appeal against it.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.reports import OF_ACCOUNTS, AppealState, Case, CaseAction, Category, Decision, DecisionSource, SubjectKind

_FIELDS = (
    "d.id, d.case_id, d.subject_kind, d.subject_id, d.owner_id, d.source, d.decided_by, d.action, d.rule, d.reason, "
    "d.facts, d.note, d.reverts, d.created_at"
)


def _columns(place: str) -> str:
    return (
        f"{_FIELDS}, EXISTS (SELECT 1 FROM moderation_decisions l WHERE l.shard = {place} AND l.reverts = d.id) "
        f"AS reverted, (SELECT p.state FROM moderation_appeals p WHERE p.shard = {place} AND p.decision_id = d.id) "
        "AS appeal"
    )


_OF_SUBJECTS = {CaseAction.SENSITIVE.value, CaseAction.HIDE.value, CaseAction.REMOVE.value}
_OF_ONE = _columns(shard("$1"))
_OF_MANY = _columns("d.shard")


async def add(
    tx: Transaction,
    case: Case,
    *,
    source: DecisionSource,
    decided_by: int | None,
    action: CaseAction,
    rule: Category,
    reason: str,
    facts: str = "",
    note: str = "",
    reverts: int | None = None,
) -> Decision:
    """Add a decision about a case; raise `ConflictError` already_reverted if `reverts` was undone before."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO moderation_decisions AS d (shard, id, case_id, subject_kind, subject_id, owner_id, source,
            decided_by, action, rule, reason, facts, note, reverts)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT DO NOTHING RETURNING {_FIELDS}, false AS reverted, NULL AS appeal""",
        tx.new_id(ids.shard_of(case.id)),
        case.id,
        case.subject_kind.value,
        case.subject_id,
        case.owner_id,
        source.value,
        decided_by,
        action.value,
        rule.value,
        reason,
        facts,
        note,
        reverts,
    )
    if row is None:
        raise ConflictError("already_reverted", "This decision was reverted before.")
    return _decision_of(row)


async def get(db: Queryable, decision_id: int, *, owner_id: int | None = None) -> Decision:
    """Return a decision, with `owner_id` only one about this account; raise `NotFoundError("decision")`."""
    row = await db.fetchrow(
        f"SELECT {_OF_ONE} FROM moderation_decisions d WHERE d.shard = {shard('$1')} AND d.id = $1 "
        "AND ($2::bigint IS NULL OR d.owner_id = $2)",
        decision_id,
        owner_id,
    )
    if row is None:
        raise NotFoundError("decision")
    return _decision_of(row)


async def of_case(db: Queryable, case_id: int) -> list[Decision]:
    """Return the decisions about a case, oldest first."""
    rows = await db.fetch(
        f"SELECT {_OF_ONE} FROM moderation_decisions d WHERE d.shard = {shard('$1')} AND d.case_id = $1 ORDER BY d.id",
        case_id,
    )
    return [_decision_of(row) for row in rows]


async def of_owner(db: Queryable, owner_id: int, *, before: int | None, limit: int) -> list[Decision]:
    """Return the decisions about an account and what it has posted, newest first; without those that change nothing."""
    rows = await db.fetch(
        f"/* all shards: the decisions about a user */ SELECT {_OF_MANY} FROM moderation_decisions d "
        "WHERE d.owner_id = $1 AND d.id < $2 AND (d.action <> 'none' OR d.reverts IS NOT NULL) "
        "ORDER BY d.id DESC LIMIT $3",
        owner_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return [_decision_of(row) for row in rows]


async def in_force(db: Queryable, decision: Decision) -> list[Decision]:
    """Return the other decisions that hold for the same account or, for what it has posted, the same thing."""
    account = decision.action in OF_ACCOUNTS
    rows = await db.fetch(
        f"/* all shards: the decisions about a user */ SELECT {_OF_MANY} FROM moderation_decisions d "
        "WHERE d.owner_id = $1 AND d.id <> $2 AND d.action = ANY($3::text[]) "
        "AND ($4::bigint IS NULL OR d.subject_id = $4) AND NOT EXISTS ("
        "SELECT 1 FROM moderation_decisions l WHERE l.shard = d.shard AND l.reverts = d.id)",
        decision.owner_id,
        decision.id,
        [decision.action.value] if account else sorted(_OF_SUBJECTS),
        None if account else decision.subject_id,
    )
    return [_decision_of(row) for row in rows]


async def by_ids(db: Queryable, decision_ids: Sequence[int], *, owner_id: int | None = None) -> dict[int, Decision]:
    """Return decisions by id, with `owner_id` only those about this account."""
    rows = await db.fetch(
        f"SELECT {_OF_MANY} FROM moderation_decisions d "
        "WHERE d.shard = ANY($1::integer[]) AND d.id = ANY($2::bigint[]) AND ($3::bigint IS NULL OR d.owner_id = $3)",
        shards(decision_ids),
        list(decision_ids),
        owner_id,
    )
    return {row["id"]: _decision_of(row) for row in rows}


def _decision_of(row: Row) -> Decision:
    fields = dict(row)
    appeal = fields["appeal"]
    return Decision(
        **{
            **fields,
            "subject_kind": SubjectKind(fields["subject_kind"]),
            "source": DecisionSource(fields["source"]),
            "action": CaseAction(fields["action"]),
            "rule": Category(fields["rule"]),
            "appeal": None if appeal is None else AppealState(appeal),
        }
    )
