"""Report photos, comments and accounts to the moderators."""

from __future__ import annotations

from typing import NamedTuple

from storage.errors import ConflictError
from storage.postgres.database import Database
from storage.postgres.keyed_limit import KeyedLimit
from storage.reports import Category, Report, Subject, SubjectKind
from storage.stores.moderation import cases, moderation_audit, report_subjects, reports

REPORT_QUOTA = "reports"


class Filed(NamedTuple):
    """A report, and whether it is new: a user has one about each subject."""

    report: Report
    new: bool


class ReportActions:
    """Reports of users. All reports about a subject join its open case, or open one."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # Of many reports at once about one subject, few wait for its case with a connection.
        self._subjects = KeyedLimit()

    async def add(self, viewer_id: int, kind: SubjectKind, subject_id: int, *, category: Category, text: str) -> Filed:
        """Report something that the viewer may see; a second report is answered with the first.

        Raises `NotFoundError` for what the viewer may not see, and `ConflictError` own_content.
        """
        subject = await report_subjects.get(self._db, kind, subject_id, viewer_id=viewer_id)
        if subject.owner_id == viewer_id:
            raise ConflictError("own_content", "You cannot report yourself or what you have posted.")
        first = await reports.find(self._db, subject, reporter_id=viewer_id)
        if first is not None:
            return Filed(first, new=False)
        trust = await reports.trust(self._db, viewer_id)
        try:
            return Filed(await self._file(viewer_id, subject, category, text, trust), new=True)
        except _RepeatedError:
            # Another request of the reporter was faster, and its transaction has ended.
            first = await reports.find(self._db, subject, reporter_id=viewer_id)
            if first is None:
                raise
            return Filed(first, new=False)

    async def _file(self, viewer_id: int, subject: Subject, category: Category, text: str, trust: float) -> Report:
        # No remote call is made while the case is locked: a thousand reporters may wait for it.
        async with self._subjects.slot(subject.id), self._db.transaction() as tx:
            case, opened = await cases.lock_open(tx, subject, category)
            report = await reports.add(
                tx, subject, case=case, reporter_id=viewer_id, category=category, text=text, trust=trust
            )
            if report is None:
                raise _RepeatedError
            if opened:
                await moderation_audit.add(tx, case.id, "opened", actor_id=None, details={"category": category.value})
            return report


class _RepeatedError(Exception):
    """The reporter has reported the subject before; the transaction is rolled back, so that it opens no case."""
