"""Work on cases as a moderator: read the queue, assign, escalate, decide, and undo decisions."""

from __future__ import annotations

from typing import NamedTuple

from server.actions import moderators
from server.actions.enforcement import Enforcement
from storage.errors import ConflictError
from storage.events import CaseDecided
from storage.mails import MailKind
from storage.postgres.database import Database, Transaction
from storage.reports import (
    Appeal,
    AuditEntry,
    Case,
    CaseAction,
    CaseState,
    Category,
    Decision,
    DecisionSource,
    Report,
)
from storage.stores.moderation import appeals, cases, decisions, moderation_audit, reports
from storage.stores.notifications import mails

MODERATION_QUOTA = "writes"
SHOWN_REPORTS = 100
_SHOWN_AUDIT = 500
_SHOWN_CASES = 20
_ON_ACCOUNTS = {CaseAction.LIMIT, CaseAction.SUSPEND}


class CaseFile(NamedTuple):
    """All about a case, with the newest cases about the same account."""

    case: Case
    reports: list[Report]
    decisions: list[Decision]
    appeals: list[Appeal]
    audit: list[AuditEntry]
    others: list[Case]


class CaseActions:
    """Cases, for moderators and administrators: all methods raise `NotPermittedError` for other accounts."""

    def __init__(self, db: Database, enforcement: Enforcement) -> None:
        self._db = db
        self._enforcement = enforcement

    async def read(self, moderator_id: int, case_id: int) -> CaseFile:
        """Return a case with all that belongs to it; raise `NotFoundError("case")`."""
        await moderators.require_moderator(self._db, moderator_id)
        return await self.file(case_id)

    async def file(self, case_id: int) -> CaseFile:
        """Return what `read` does, for an operator."""
        case = await cases.get(self._db, case_id)
        return CaseFile(
            case,
            await reports.of_case(self._db, case_id, limit=SHOWN_REPORTS),
            await decisions.of_case(self._db, case_id),
            await appeals.of_case(self._db, case_id),
            await moderation_audit.of_case(self._db, case_id, limit=_SHOWN_AUDIT),
            [one for one in await cases.of_owner(self._db, case.owner_id, limit=_SHOWN_CASES) if one.id != case_id],
        )

    async def assign(self, moderator_id: int, case_id: int, assignee_id: int | None) -> Case:
        """Assign a case to a moderator, or to none; raise `ConflictError` case_closed, not_a_moderator."""
        async with self._db.transaction() as tx:
            await moderators.require_moderator(tx, moderator_id)
            case = await cases.lock(tx, case_id)
            if assignee_id is not None:
                await moderators.require_moderator(tx, assignee_id)
                moderators.require_uninvolved(case, assignee_id)
            changed = await cases.assign(tx, case_id, assignee_id)
            if changed.assigned_to != case.assigned_to:
                action = "unassigned" if assignee_id is None else "assigned"
                await moderation_audit.add(
                    tx, case_id, action, actor_id=moderator_id, details={"to": str(assignee_id or "")}
                )
        return changed

    async def escalate(self, moderator_id: int, case_id: int, *, escalated: bool, note: str) -> Case:
        """Leave a case to the administrators, or return it to the moderators; raise `ConflictError` case_closed."""
        state = CaseState.ESCALATED if escalated else CaseState.OPEN
        async with self._db.transaction() as tx:
            await moderators.require_moderator(tx, moderator_id)
            case = await cases.lock(tx, case_id)
            changed = await cases.set_state(tx, case_id, state)
            if case.state is not state:
                action = "escalated" if escalated else "returned"
                await moderation_audit.add(tx, case_id, action, actor_id=moderator_id, details={"note": note})
        return changed

    async def decide(
        self,
        moderator_id: int,
        case_id: int,
        *,
        action: CaseAction,
        rule: Category | None,
        reason: str,
        facts: str = "",
        note: str = "",
    ) -> Decision:
        """Decide a case, which closes it: carry out the action, and answer the reporters and the account concerned.

        `rule` is by default the category of the case. Raises `NotPermittedError`, and `ConflictError` case_closed or
        action_not_possible.
        """
        async with self._db.transaction() as tx:
            role = await moderators.require_moderator(tx, moderator_id)
            case = await cases.lock(tx, case_id)
            await moderators.require_permitted(tx, case, moderator_id, role, action)
            await cases.set_state(tx, case_id, CaseState.CLOSED)
            decision = await decisions.add(
                tx,
                case,
                source=DecisionSource.MODERATOR,
                decided_by=moderator_id,
                action=action,
                rule=rule or case.category,
                reason=reason,
                facts=facts,
                note=note,
            )
            await self._enforcement.apply(tx, case, action, rule=decision.rule, reason=reason)
            await moderation_audit.add(tx, case_id, "decided", actor_id=moderator_id, details={"action": action.value})
            _announce(tx, decision, about=decision)
        return decision

    async def revert(self, moderator_id: int, decision_id: int, *, reason: str) -> Decision:
        """Undo a decision, by another one that names it; raise what `decide` does, `ConflictError` already_reverted."""
        async with self._db.transaction() as tx:
            role = await moderators.require_moderator(tx, moderator_id)
            decision = await decisions.get(tx, decision_id)
            case = await cases.lock(tx, decision.case_id)
            await moderators.require_permitted(tx, case, moderator_id, role, decision.action)
            return await self.revert_locked(tx, case, decision, moderator_id=moderator_id, reason=reason)

    async def revert_locked(
        self, tx: Transaction, case: Case, decision: Decision, *, moderator_id: int, reason: str
    ) -> Decision:
        """Undo a decision about a case that is locked, as `revert` does."""
        if decision.action is CaseAction.NONE:
            raise ConflictError("nothing_to_revert", "This decision has changed nothing.")
        reverting = await decisions.add(
            tx,
            case,
            source=DecisionSource.MODERATOR,
            decided_by=moderator_id,
            action=CaseAction.NONE,
            rule=decision.rule,
            reason=reason,
            reverts=decision.id,
        )
        await self._enforcement.undo(tx, case, decision)
        await moderation_audit.add(
            tx, case.id, "reverted", actor_id=moderator_id, details={"action": decision.action.value}
        )
        _announce(tx, reverting, about=decision)
        return reverting


def _announce(tx: Transaction, decision: Decision, *, about: Decision) -> None:
    """Have a decision announced: `about` is the one that it reverts, or the decision itself."""
    tx.emit(CaseDecided(case_id=decision.case_id, decision_id=decision.id))
    # The user of such an account may not be able to sign in and read the notification.
    if about.action in _ON_ACCOUNTS:
        mails.request(tx, decision.owner_id, MailKind.ACCOUNT_DECISION, {"decision_id": decision.id})
