"""The periodic tasks of the janitor about cases: erase what was removed or suspended long ago, and count what waits."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from storage.cache.cards import Cards
from storage.errors import NotFoundError
from storage.postgres.database import Database, Transaction
from storage.reports import Case, CaseAction, Decision, SubjectKind
from storage.stores.accounts import account_restrictions, users
from storage.stores.comments import hidden_comments
from storage.stores.moderation import case_numbers, cases, decisions, moderation_audit
from storage.stores.photos import photo_deletion
from workers.jobs.upkeep.janitor import PeriodicTask

_BATCH = 100
_FINAL = {CaseAction.REMOVE, CaseAction.SUSPEND}


class CaseNumbersMetrics(Protocol):
    """Records how much waits for moderators."""

    def cases_waiting(self, *, opened: int, escalated: int, oldest_seconds: float, appeals: int) -> None:
        """Record how many cases and appeals wait, and for how long the oldest case does."""
        ...


class CaseTasks:
    """Erases what decisions have removed, once they cannot be reverted any more, and counts cases and appeals."""

    def __init__(self, db: Database, cards: Cards, metrics: CaseNumbersMetrics) -> None:
        self._db = db
        self._cards = cards
        self._metrics = metrics

    def tasks(self) -> list[PeriodicTask]:
        """Return the tasks."""
        return [
            PeriodicTask(name="decided_removals", period=3600, work=self.erase),
            PeriodicTask(name="case_numbers", period=60, work=self.measure),
        ]

    async def erase(self) -> int:
        """Erase photos, comments and accounts whose decisions are old enough; return their number."""
        erased = 0
        while found := await cases.due_for_erasure(self._db, limit=_BATCH):
            for case in found:
                async with self._db.transaction() as tx:
                    erased += await self._erase(tx, case.id)
        return erased

    async def measure(self) -> int:
        """Record the present numbers; nothing is repaired, so the result is 0."""
        numbers = await case_numbers.waiting(self._db)
        self._metrics.cases_waiting(
            opened=numbers.opened,
            escalated=numbers.escalated,
            oldest_seconds=numbers.oldest_seconds,
            appeals=await case_numbers.pending_appeals(self._db),
        )
        return 0

    async def _erase(self, tx: Transaction, case_id: int) -> bool:
        case = await cases.lock(tx, case_id)
        if case.erase_at is None:
            return False  # reverted, or erased by another janitor
        final = [one for one in await decisions.of_case(tx, case_id) if one.action in _FINAL and not one.reverted]
        await cases.set_erasure(tx, case_id, None)
        for decision in final:
            await self._erase_subject(tx, case, decision)
            await moderation_audit.add(tx, case_id, "erased", actor_id=None, details={"action": decision.action.value})
        return bool(final)

    async def _erase_subject(self, tx: Transaction, case: Case, decision: Decision) -> None:
        if decision.action is CaseAction.SUSPEND:
            found = await account_restrictions.get(tx, case.owner_id)
            if found is not None and found.suspended_at is not None:
                await users.remove(tx, case.owner_id)
        elif case.subject_kind is SubjectKind.COMMENT:
            await hidden_comments.erase(tx, case.subject_id)
        else:
            await self._delete_photo(tx, case)

    async def _delete_photo(self, tx: Transaction, case: Case) -> None:
        try:
            await photo_deletion.delete(tx, case.subject_id, author_id=case.owner_id)
        except NotFoundError:
            return  # its author was faster
        tx.on_commit(partial(self._cards.tombstone, case.subject_id))
