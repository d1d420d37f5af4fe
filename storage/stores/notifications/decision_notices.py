"""What notifications of decisions, answered appeals and answered reports say, read from these when an inbox is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from storage.notifications import NotificationKind
from storage.postgres.database import Queryable
from storage.reports import AppealState, CaseAction, Decision, Report, ReportOutcome, SubjectKind
from storage.stores.moderation import decisions, reports

KINDS = (NotificationKind.DECISION, NotificationKind.APPEAL_ANSWERED, NotificationKind.REPORT_ANSWERED)

_YOURS = {SubjectKind.PHOTO: "Your photo", SubjectKind.COMMENT: "Your comment", SubjectKind.USER: "Your account"}
_DONE = {
    CaseAction.SENSITIVE: "was marked as sensitive",
    CaseAction.HIDE: "was hidden",
    CaseAction.REMOVE: "was removed",
}
_LIMITED = "Your account was limited: only your followers find it and what you post"
_SUSPENDED = "Your account was suspended"
_REVERTED = "A decision about {subject} was reverted"
_ANSWERS = {
    AppealState.UPHELD: "Your appeal was answered: the decision stays",
    AppealState.REVERTED: "Your appeal was answered: the decision was reverted",
}


class Notice(NamedTuple):
    """The text of an entry, and the decision that its user can read."""

    text: str
    decision_id: int | None


async def read(
    db: Queryable, subjects: Iterable[tuple[NotificationKind, int]]
) -> Mapping[tuple[NotificationKind, int], Notice]:
    """Return the notices about decisions and reports, by kind and id."""
    wanted = set(subjects)
    about_reports = [subject_id for kind, subject_id in wanted if kind is NotificationKind.REPORT_ANSWERED]
    about_decisions = [subject_id for kind, subject_id in wanted if kind is not NotificationKind.REPORT_ANSWERED]
    found_reports = await reports.by_ids(db, about_reports) if about_reports else {}
    found_decisions = await decisions.by_ids(db, about_decisions) if about_decisions else {}
    found: dict[tuple[NotificationKind, int], Notice] = {}
    for kind, subject_id in wanted:
        if kind is NotificationKind.REPORT_ANSWERED and subject_id in found_reports:
            found[kind, subject_id] = Notice(_of_report(found_reports[subject_id]), None)
        elif subject_id in found_decisions:
            decision = found_decisions[subject_id]
            text = _of_appeal(decision) if kind is NotificationKind.APPEAL_ANSWERED else _of_decision(decision)
            found[kind, subject_id] = Notice(text, decision.id)
    return found


def _of_decision(decision: Decision) -> str:
    yours = _YOURS[decision.subject_kind]
    if decision.reverts is not None:
        text = _REVERTED.format(subject=yours[0].lower() + yours[1:])
    elif decision.action is CaseAction.LIMIT:
        text = _LIMITED
    elif decision.action is CaseAction.SUSPEND:
        text = _SUSPENDED
    else:
        text = f"{yours} {_DONE[decision.action]}"
    return f"{text}. {decision.reason}" if decision.reason else text


def _of_appeal(decision: Decision) -> str:
    return _ANSWERS[AppealState.UPHELD if decision.appeal is not AppealState.REVERTED else AppealState.REVERTED]


def _of_report(report: Report) -> str:
    if report.outcome is ReportOutcome.NO_ACTION:
        return f"We have looked at the {report.subject_kind} that you reported, and found that it may stay"
    return f"Thank you: we have acted on the {report.subject_kind} that you reported"
