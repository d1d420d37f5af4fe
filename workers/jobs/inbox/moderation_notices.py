"""Notices of decisions: to the account concerned, with the reason, and to the reporters, with the outcome.

Each notice is an entry of an inbox that names its decision or report, so handling an event again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from storage.errors import NotFoundError
from storage.events import AppealAnswered, CaseDecided
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.reports import CaseAction, Decision, ReportOutcome, SubjectKind
from storage.stores.moderation import decisions, reports
from workers.handlers import EventHandler, on
from workers.jobs.inbox.inbox import Inbox

REPORTS_AT_ONCE = 50  # answered in one transaction, which locks as many accounts

_WITH_THE_PHOTO = {
    SubjectKind.PHOTO: {CaseAction.SENSITIVE, CaseAction.HIDE, CaseAction.REMOVE},
    SubjectKind.COMMENT: set(),
    SubjectKind.USER: set(),
}


class ModerationNotices:
    """Handlers of decisions and answered appeals; `limit` is the number of reports of a batch."""

    def __init__(self, db: Database, inbox: Inbox, *, limit: int = REPORTS_AT_ONCE) -> None:
        self._db = db
        self._inbox = inbox
        self._limit = limit

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(CaseDecided, self.decided), **on(AppealAnswered, self.answered)}

    async def decided(self, event: CaseDecided) -> None:
        """Notify the account concerned, then the reporters of the next batch; the next event is for the others."""
        try:
            decision = await decisions.get(self._db, event.decision_id)
        except NotFoundError:
            return  # the transaction of the event was rolled back, which a relay may have overtaken
        # That a photo was hidden or marked is an entry about the photo, which follows the photo's state.
        if decision.reverts is not None or decision.action not in {
            CaseAction.NONE,
            *_WITH_THE_PHOTO[decision.subject_kind],
        }:
            await self._notify(decision.owner_id, NotificationKind.DECISION, decision.id)
        if decision.reverts is None:
            await self._answer(event, decision)

    async def answered(self, event: AppealAnswered) -> None:
        """Notify the account concerned that its appeal was answered."""
        decision = await decisions.get(self._db, event.decision_id)
        await self._notify(decision.owner_id, NotificationKind.APPEAL_ANSWERED, decision.id)

    async def _answer(self, event: CaseDecided, decision: Decision) -> None:
        batch = await reports.unanswered(self._db, decision.case_id, limit=self._limit)
        if not batch:
            return
        for report in batch:
            if report.reporter_id is not None:
                await self._notify(report.reporter_id, NotificationKind.REPORT_ANSWERED, report.id)
        outcome = ReportOutcome.NO_ACTION if decision.action is CaseAction.NONE else ReportOutcome.ACTION
        # After the notices: a job that was interrupted before is repeated, and finds them.
        async with self._db.transaction() as tx:
            await reports.answer(tx, decision.case_id, batch, outcome)
            if len(batch) == self._limit:
                tx.emit(event)

    async def _notify(self, recipient_id: int, kind: NotificationKind, subject_id: int) -> None:
        await self._inbox.record(Activity(recipient_id=recipient_id, kind=kind, actor_id=None, source_id=subject_id))
