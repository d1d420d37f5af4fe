"""Appeal against decisions, and answer appeals."""

from __future__ import annotations

from server.actions import moderators
from server.actions.cases import CaseActions
from server.identity.errors import NotPermittedError
from storage.errors import ConflictError
from storage.events import AppealAnswered
from storage.models import Role
from storage.postgres.database import Database
from storage.reports import Appeal, AppealState, CaseAction
from storage.stores.moderation import appeals, cases, decisions, moderation_audit

APPEAL_QUOTA = "writes"


class AppealActions:
    """One appeal against each decision, by the account concerned; a moderator who has not decided answers it."""

    def __init__(self, db: Database, case_actions: CaseActions) -> None:
        self._db = db
        self._cases = case_actions

    async def add(self, viewer_id: int, decision_id: int, text: str) -> Appeal:
        """Appeal against a decision about the viewer.

        Raises `NotFoundError("decision")` for any other, and `ConflictError` already_appealed or nothing_to_appeal.
        """
        async with self._db.transaction() as tx:
            decision = await decisions.get(tx, decision_id, owner_id=viewer_id)
            await cases.lock(tx, decision.case_id)
            decision = await decisions.get(tx, decision_id)  # as it is under the lock
            if decision.reverted or decision.action is CaseAction.NONE:
                raise ConflictError("nothing_to_appeal", "This decision has no effect any more, or never had one.")
            appeal = await appeals.add(tx, decision, text)
            await moderation_audit.add(tx, decision.case_id, "appealed", actor_id=None)
        return appeal

    async def answer(self, moderator_id: int, decision_id: int, *, reverted: bool, answer: str) -> Appeal:
        """Answer an appeal: uphold the decision, or revert it, which undoes its action.

        Raises `NotPermittedError`, also for the moderator who has decided, `NotFoundError("appeal")`, and
        `ConflictError` already_answered.
        """
        state = AppealState.REVERTED if reverted else AppealState.UPHELD
        async with self._db.transaction() as tx:
            role = await moderators.require_moderator(tx, moderator_id)
            decision = await decisions.get(tx, decision_id)
            case = await cases.lock(tx, decision.case_id)
            decision = await decisions.get(tx, decision_id)  # as it is under the lock
            if decision.decided_by == moderator_id:
                raise NotPermittedError(
                    "own_decision", "You have made this decision. Another moderator has to answer the appeal."
                )
            moderators.require_uninvolved(case, moderator_id)
            if role is not Role.ADMIN:
                await moderators.require_permitted(tx, case, moderator_id, role, decision.action)
            appeal = await appeals.answer(tx, decision_id, state=state, answered_by=moderator_id, answer=answer)
            # A moderator may have reverted it before without an answer to the appeal.
            if reverted and not decision.reverted:
                await self._cases.revert_locked(tx, case, decision, moderator_id=moderator_id, reason=answer)
            await moderation_audit.add(tx, case.id, f"appeal_{state.value}", actor_id=moderator_id)
            tx.emit(AppealAnswered(decision_id=decision_id))
        return appeal
