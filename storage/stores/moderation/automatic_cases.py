"""Cases that automatic rules open, or add to: a finding counts as much as a report of a trusted user."""

from __future__ import annotations

from storage.abuse import Finding, FindingKind
from storage.postgres.database import Queryable, Transaction
from storage.postgres.sharding import shard
from storage.reports import FIRST, Case, Subject, SubjectKind, more_severe, raised
from storage.stores.moderation import cases, moderation_audit

_TRUST = 1.0
_EXISTS = {
    SubjectKind.PHOTO: f"SELECT 1 FROM photos WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL",
    SubjectKind.COMMENT: f"SELECT 1 FROM comments WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL",
    SubjectKind.USER: f"SELECT 1 FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL",
}


async def subject_of(db: Queryable, finding: Finding) -> Subject | None:
    """Return the subject of a finding; None if it or its account is deleted."""
    if not await db.fetchval(_EXISTS[finding.subject], finding.subject_id):
        return None
    followers: int | None = await db.fetchval(
        f"SELECT followers FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL",
        finding.account_id,
    )
    if followers is None:
        return None
    return Subject(kind=finding.subject, id=finding.subject_id, owner_id=finding.account_id, reach=followers)


async def lock(tx: Transaction, subject: Subject, finding: Finding) -> tuple[Case, bool]:
    """Lock the open case of a subject, or open one; return it, and whether it was opened."""
    case, opened = await cases.lock_open(tx, subject, finding.category)
    if opened:
        await moderation_audit.add(
            tx, case.id, "opened", actor_id=None, details={"category": finding.category.value, "by": "automatic"}
        )
    return case, opened


async def add(tx: Transaction, case: Case, finding: Finding) -> None:
    """Add a finding to the weight of a case that is locked, and to its log, with the rule and the facts."""
    category, trust = more_severe(case.category, finding.category), case.trust + _TRUST
    await tx.execute(
        f"UPDATE moderation_cases SET category = $2, trust = $3, priority = $4 WHERE shard = {shard('$1')} AND id = $1",
        case.id,
        category.value,
        trust,
        FIRST if finding.kind is FindingKind.SCAN_MATCH else raised(case, category, trust=trust),
    )
    facts = {"kind": finding.kind.value, "rule": finding.rule, "action": finding.action.value, **finding.facts}
    await moderation_audit.add(tx, case.id, "found", actor_id=None, details=facts)
