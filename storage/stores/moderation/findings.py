"""What automatic rules have found about accounts: an append-only log, in the shard of the account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage import ids
from storage.abuse import AbuseAction, Finding, FindingKind
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard, shards
from storage.reports import Category, SubjectKind
from storage.stores import account_locks


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedFinding:
    """A finding with its id and time."""

    id: int
    finding: Finding
    created_at: datetime


async def record(tx: Transaction, finding: Finding) -> bool:
    """Record a finding; return False if the account has one with the same key, and once the account is deleted."""
    # The lock excludes another finding of the account at this moment, and its deletion.
    if not await account_locks.lock(tx, [finding.account_id]) or await is_known(tx, finding):
        return False
    await tx.insert(
        ids.shard_of(finding.account_id),
        f"""
        INSERT INTO findings
            (shard, id, account_id, kind, rule, key, subject_kind, subject_id, action, category, facts)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id, shard) DO NOTHING RETURNING id""",
        finding.account_id,
        finding.kind.value,
        finding.rule,
        finding.key,
        finding.subject.value,
        finding.subject_id,
        finding.action.value,
        finding.category.value,
        dict(finding.facts),
    )
    return True


async def is_known(db: Queryable, finding: Finding) -> bool:
    """Return whether the account has a finding with the same key."""
    known: bool = await db.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM findings WHERE shard = {shard('$1')} AND account_id = $1 AND key = $2)",
        finding.account_id,
        finding.key,
    )
    return known


async def of_account(db: Queryable, account_id: int, *, limit: int) -> list[RecordedFinding]:
    """Return the newest findings about an account, the newest first."""
    rows = await db.fetch(
        f"SELECT * FROM findings WHERE shard = {shard('$1')} AND account_id = $1 ORDER BY id DESC LIMIT $2",
        account_id,
        limit,
    )
    return [_recorded(row) for row in rows]


async def newest(db: Queryable, *, limit: int) -> list[RecordedFinding]:
    """Return the newest findings about all accounts, the newest first."""
    rows = await db.fetch(
        "/* all shards: a list for the operator */ SELECT * FROM findings ORDER BY id DESC LIMIT $1", limit
    )
    return [_recorded(row) for row in rows]


async def delete_before(tx: Transaction, first_id: int, *, limit: int) -> int:
    """Delete findings with lower ids, which were made before; return their number."""
    rows = await tx.fetch(
        "/* all shards: the janitor's */ SELECT id FROM findings WHERE id < $1 ORDER BY id LIMIT $2", first_id, limit
    )
    found: Sequence[int] = [row["id"] for row in rows]
    if not found:
        return 0
    return await tx.execute(
        "DELETE FROM findings WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])", shards(found), found
    )


def _recorded(row: Row) -> RecordedFinding:
    finding = Finding(
        kind=FindingKind(row["kind"]),
        account_id=row["account_id"],
        subject=SubjectKind(row["subject_kind"]),
        subject_id=row["subject_id"],
        action=AbuseAction(row["action"]),
        category=Category(row["category"]),
        rule=row["rule"],
        key=row["key"],
        facts=row["facts"],
    )
    return RecordedFinding(id=row["id"], finding=finding, created_at=row["created_at"])
