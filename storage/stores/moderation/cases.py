"""Cases: one open case for each subject that is reported, and the queue of them by priority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.reports import Case, CaseState, Category, Subject, SubjectKind

_COLUMNS = (
    "k.id, k.subject_kind, k.subject_id, k.owner_id, k.state, k.category, k.reports, k.trust, k.reach, k.priority, "
    "k.assigned_to, k.opened_at, k.closed_at, k.erase_at"
)
_CASE = f"k.shard = {shard('$1')} AND k.id = $1"
_OPEN = "k.state <> 'closed'"


async def lock_open(tx: Transaction, subject: Subject, category: Category) -> tuple[Case, bool]:
    """Lock the open case of a subject, or open one; return it, and whether it is new."""
    case_id = tx.new_id(ids.shard_of(subject.id))
    row = await tx.fetchrow(
        f"""
        INSERT INTO moderation_cases AS k (shard, id, subject_kind, subject_id, owner_id, category, reach)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6)
        ON CONFLICT (subject_id, subject_kind, shard) WHERE state <> 'closed'
        DO UPDATE SET reach = excluded.reach RETURNING {_COLUMNS}""",
        case_id,
        subject.kind.value,
        subject.id,
        subject.owner_id,
        category.value,
        subject.reach,
    )
    found = _found(row)
    return found, found.id == case_id


async def get(db: Queryable, case_id: int) -> Case:
    """Return a case; raise `NotFoundError("case")`."""
    return _found(await db.fetchrow(f"SELECT {_COLUMNS} FROM moderation_cases k WHERE {_CASE}", case_id))


async def lock(tx: Transaction, case_id: int) -> Case:
    """Lock a case; raise `NotFoundError("case")`."""
    return _found(await tx.fetchrow(f"SELECT {_COLUMNS} FROM moderation_cases k WHERE {_CASE} FOR UPDATE", case_id))


async def queue(
    db: Queryable,
    *,
    kind: SubjectKind | None = None,
    state: CaseState | None = None,
    assigned_to: int | None = None,
    after: tuple[float, int] | None = None,
    limit: int,
) -> list[Case]:
    """Return cases that are not closed, of the highest priority first, after a priority and id."""
    rows = await db.fetch(
        f"/* all shards: the queue of moderators */ SELECT {_COLUMNS} FROM moderation_cases k WHERE {_OPEN} "
        "AND ($1::text IS NULL OR k.subject_kind = $1) AND ($2::text IS NULL OR k.state = $2) "
        "AND ($3::bigint IS NULL OR k.assigned_to = $3) "
        "AND ($4::float8 IS NULL OR (k.priority, k.id) < ($4, $5::bigint)) "
        "ORDER BY k.priority DESC, k.id DESC LIMIT $6",
        None if kind is None else kind.value,
        None if state is None else state.value,
        assigned_to,
        *(after or (None, None)),
        limit,
    )
    return [_case_of(row) for row in rows]


async def closed(
    db: Queryable,
    *,
    kind: SubjectKind | None = None,
    assigned_to: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[Case]:
    """Return closed cases with ids below `before`, the one that was opened last first."""
    rows = await db.fetch(
        f"/* all shards: the queue of moderators */ SELECT {_COLUMNS} FROM moderation_cases k "
        "WHERE k.state = 'closed' AND ($1::text IS NULL OR k.subject_kind = $1) "
        "AND ($2::bigint IS NULL OR k.assigned_to = $2) AND k.id < $3 ORDER BY k.id DESC LIMIT $4",
        None if kind is None else kind.value,
        assigned_to,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return [_case_of(row) for row in rows]


async def of_owner(db: Queryable, owner_id: int, *, limit: int) -> list[Case]:
    """Return the newest cases about an account and what it has posted."""
    rows = await db.fetch(
        f"/* all shards: the cases about a user */ SELECT {_COLUMNS} FROM moderation_cases k WHERE k.owner_id = $1 "
        "ORDER BY k.id DESC LIMIT $2",
        owner_id,
        limit,
    )
    return [_case_of(row) for row in rows]


async def newest_about(db: Queryable, photo_id: int) -> int | None:
    """Return the newest case about a photo, or None."""
    found: int | None = await db.fetchval(
        f"SELECT k.id FROM moderation_cases k WHERE k.shard = {shard('$1')} AND k.subject_id = $1 "
        "AND k.subject_kind = 'photo' ORDER BY k.id DESC LIMIT 1",
        photo_id,
    )
    return found


async def assign(tx: Transaction, case_id: int, user_id: int | None) -> Case:
    """Assign a case to a moderator, or to none."""
    row = await tx.fetchrow(
        f"UPDATE moderation_cases k SET assigned_to = $2 WHERE {_CASE} AND {_OPEN} RETURNING {_COLUMNS}",
        case_id,
        user_id,
    )
    return _changed(row)


async def set_state(tx: Transaction, case_id: int, state: CaseState) -> Case:
    """Change the state of a case that is not closed; raise `ConflictError` case_closed."""
    row = await tx.fetchrow(
        f"UPDATE moderation_cases k SET state = $2, closed_at = $3 WHERE {_CASE} AND {_OPEN} RETURNING {_COLUMNS}",
        case_id,
        state.value,
        datetime.now(UTC) if state is CaseState.CLOSED else None,
    )
    return _changed(row)


async def set_erasure(tx: Transaction, case_id: int, after: timedelta | None) -> None:
    """Set after which time the subject or the account is erased for good, with None never."""
    await tx.execute(
        f"UPDATE moderation_cases k SET erase_at = $2 WHERE {_CASE}",
        case_id,
        None if after is None else datetime.now(UTC) + after,
    )


async def due_for_erasure(db: Queryable, *, limit: int) -> list[Case]:
    """Return cases whose subject or account is to be erased now."""
    rows = await db.fetch(
        f"/* all shards: the janitor's */ SELECT {_COLUMNS} FROM moderation_cases k WHERE k.erase_at <= now() "
        "ORDER BY k.erase_at LIMIT $1",
        limit,
    )
    return [_case_of(row) for row in rows]


def _changed(row: Row | None) -> Case:
    if row is None:
        raise ConflictError("case_closed", "This case is closed.")
    return _case_of(row)


def _found(row: Row | None) -> Case:
    if row is None:
        raise NotFoundError("case")
    return _case_of(row)


def _case_of(row: Row) -> Case:
    kinds = {
        "subject_kind": SubjectKind(row["subject_kind"]),
        "state": CaseState(row["state"]),
        "category": Category(row["category"]),
    }
    return Case(**{**dict(row), **kinds})
