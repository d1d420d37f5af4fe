"""Reports: one of each reporter about each subject. They are in the shard of the subject, as their case is.

The case is locked before its reports. So of a thousand reports at once each waits for one row, and none for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from storage import ids
from storage.errors import NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.reports import (
    Case,
    Category,
    Report,
    ReportOutcome,
    Subject,
    SubjectKind,
    more_severe,
    raised,
    trust_of,
)
from storage.stores import account_locks

_COLUMNS = (
    "r.id, r.case_id, r.subject_kind, r.subject_id, r.reporter_id, r.category, r.text, r.trust, r.outcome, "
    "r.created_at, r.answered_at"
)


class Answered(NamedTuple):
    """A report that is to be answered."""

    id: int
    reporter_id: int | None


async def find(db: Queryable, subject: Subject, *, reporter_id: int) -> Report | None:
    """Return the report of a user about a subject, or None."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM reports r WHERE r.shard = {shard('$1')} AND r.subject_id = $1 "
        "AND r.subject_kind = $2 AND r.reporter_id = $3",
        subject.id,
        subject.kind.value,
        reporter_id,
    )
    return None if row is None else _report_of(row)


async def add(
    tx: Transaction, subject: Subject, *, case: Case, reporter_id: int, category: Category, text: str, trust: float
) -> Report | None:
    """Add a report to a case that the caller has locked, and to its numbers; return None for a repeated one."""
    severest, total = more_severe(case.category, category), case.trust + trust
    # One statement, because the next reporter waits for it.
    row = await tx.fetchrow(
        f"""
        WITH r AS (
            INSERT INTO reports AS r (shard, id, case_id, subject_kind, subject_id, reporter_id, category, text, trust)
            VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (reporter_id, subject_id, subject_kind, shard) DO NOTHING RETURNING {_COLUMNS}),
        counted AS (
            UPDATE moderation_cases k SET reports = k.reports + 1, category = $9, trust = $10, priority = $11
            FROM r WHERE k.shard = {shard("$1")} AND k.id = r.case_id)
        SELECT * FROM r""",
        tx.new_id(ids.shard_of(subject.id)),
        case.id,
        subject.kind.value,
        subject.id,
        reporter_id,
        category.value,
        text,
        trust,
        severest.value,
        total,
        raised(case, severest, trust=total),
    )
    return None if row is None else _report_of(row)


async def trust(db: Queryable, reporter_id: int) -> float:
    """Return how much the reports of a user count; raise `NotFoundError("user")` for a deleted account."""
    row = await db.fetchrow(
        "SELECT created_at, reports_upheld, reports_rejected FROM users "
        f"WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL",
        reporter_id,
    )
    if row is None:
        raise NotFoundError("user")
    age: timedelta = datetime.now(UTC) - row["created_at"]
    return trust_of(age=age, upheld=row["reports_upheld"], rejected=row["reports_rejected"])


async def of_case(db: Queryable, case_id: int, *, limit: int) -> list[Report]:
    """Return the reports of a case, oldest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM reports r WHERE r.shard = {shard('$1')} AND r.case_id = $1 ORDER BY r.id LIMIT $2",
        case_id,
        limit,
    )
    return [_report_of(row) for row in rows]


async def of_reporter(db: Queryable, reporter_id: int, *, before: int | None, limit: int) -> list[Report]:
    """Return a user's reports with ids below `before`, newest first."""
    rows = await db.fetch(
        f"/* all shards: the reports of a user */ SELECT {_COLUMNS} FROM reports r "
        "WHERE r.reporter_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3",
        reporter_id,
        ids.MAX_ID if before is None else before,
        limit,
    )
    return [_report_of(row) for row in rows]


async def by_ids(db: Queryable, report_ids: list[int]) -> dict[int, Report]:
    """Return reports by id."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM reports r WHERE r.shard = ANY($1::integer[]) AND r.id = ANY($2::bigint[])",
        shards(report_ids),
        report_ids,
    )
    return {row["id"]: _report_of(row) for row in rows}


async def unanswered(db: Queryable, case_id: int, *, limit: int) -> list[Answered]:
    """Return reports of a case that are not answered yet."""
    rows = await db.fetch(
        f"SELECT r.id, r.reporter_id FROM reports r WHERE r.shard = {shard('$1')} AND r.case_id = $1 "
        "AND r.answered_at IS NULL ORDER BY r.id LIMIT $2",
        case_id,
        limit,
    )
    return [Answered(row["id"], row["reporter_id"]) for row in rows]


async def answer(tx: Transaction, case_id: int, found: Sequence[Answered], outcome: ReportOutcome) -> None:
    """Record the outcome of reports, and add it to what their reporters' next reports count; a second time is void."""
    # Accounts first, as at the erasure of an account, which locks it before its reports.
    await account_locks.lock(tx, [each.reporter_id for each in found if each.reporter_id is not None])
    rows = await tx.fetch(
        f"UPDATE reports r SET outcome = $3, answered_at = now() WHERE r.shard = {shard('$1')} AND r.case_id = $1 "
        "AND r.id = ANY($2::bigint[]) AND r.answered_at IS NULL RETURNING r.reporter_id",
        case_id,
        [each.id for each in found],
        outcome.value,
    )
    column = "reports_upheld" if outcome is ReportOutcome.ACTION else "reports_rejected"
    for reporter_id in sorted(row["reporter_id"] for row in rows if row["reporter_id"] is not None):
        await tx.execute(
            f"UPDATE users SET {column} = {column} + 1 WHERE shard = {shard('$1')} AND id = $1", reporter_id
        )


async def forget_reporter(tx: Transaction, reporter_id: int, *, limit: int) -> int:
    """Remove the reporter and the text from reports of a deleted account; return their number."""
    rows = await tx.fetch(
        "/* all shards: the reports of a user */ SELECT id FROM reports WHERE reporter_id = $1 LIMIT $2",
        reporter_id,
        limit,
    )
    found = [row["id"] for row in rows]
    if not found:
        return 0
    return await tx.execute(
        "UPDATE reports SET reporter_id = NULL, text = '' WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])",
        shards(found),
        found,
    )


def _report_of(row: Row) -> Report:
    fields = dict(row)
    outcome = fields["outcome"]
    return Report(
        **{
            **fields,
            "subject_kind": SubjectKind(fields["subject_kind"]),
            "category": Category(fields["category"]),
            "outcome": None if outcome is None else ReportOutcome(outcome),
        }
    )
