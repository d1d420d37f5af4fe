"""What notifications of decisions, answered appeals and answered reports say, read from these when an inbox is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from locales.sentences import Sentence, marked, sentence
from storage.notifications import NotificationKind
from storage.postgres.database import Queryable
from storage.reports import AppealState, CaseAction, Decision, Report, ReportOutcome, SubjectKind
from storage.stores.moderation import decisions, reports

KINDS = (NotificationKind.DECISION, NotificationKind.APPEAL_ANSWERED, NotificationKind.REPORT_ANSWERED)

_DONE = {
    (SubjectKind.PHOTO, CaseAction.SENSITIVE): marked("Your photo was marked as sensitive"),
    (SubjectKind.PHOTO, CaseAction.HIDE): marked("Your photo was hidden"),
    (SubjectKind.PHOTO, CaseAction.REMOVE): marked("Your photo was removed"),
    (SubjectKind.COMMENT, CaseAction.HIDE): marked("Your comment was hidden"),
    (SubjectKind.COMMENT, CaseAction.REMOVE): marked("Your comment was removed"),
}
_LIMITED = marked("Your account was limited: only your followers find it and what you post")
_SUSPENDED = marked("Your account was suspended")
_REVERTED = {
    SubjectKind.PHOTO: marked("A decision about your photo was reverted"),
    SubjectKind.COMMENT: marked("A decision about your comment was reverted"),
    SubjectKind.USER: marked("A decision about your account was reverted"),
}
_ANSWERS = {
    AppealState.UPHELD: marked("Your appeal was answered: the decision stays"),
    AppealState.REVERTED: marked("Your appeal was answered: the decision was reverted"),
}
_MAY_STAY = {
    SubjectKind.PHOTO: marked("We have looked at the photo that you reported, and found that it may stay"),
    SubjectKind.COMMENT: marked("We have looked at the comment that you reported, and found that it may stay"),
    SubjectKind.USER: marked("We have looked at the user that you reported, and found that it may stay"),
}
_ACTED_ON = {
    SubjectKind.PHOTO: marked("Thank you: we have acted on the photo that you reported"),
    SubjectKind.COMMENT: marked("Thank you: we have acted on the comment that you reported"),
    SubjectKind.USER: marked("Thank you: we have acted on the user that you reported"),
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


def _of_decision(decision: Decision) -> Sentence:
    if decision.reverts is not None:
        template = _REVERTED[decision.subject_kind]
    elif decision.action is CaseAction.LIMIT:
        template = _LIMITED
    elif decision.action is CaseAction.SUSPEND:
        template = _SUSPENDED
    else:
        template = _DONE[decision.subject_kind, decision.action]
    text = Sentence.made(template, None, {})
    return sentence("{text}. {reason}", text=text, reason=decision.reason) if decision.reason else text


def _of_appeal(decision: Decision) -> Sentence:
    state = AppealState.UPHELD if decision.appeal is not AppealState.REVERTED else AppealState.REVERTED
    return Sentence.made(_ANSWERS[state], None, {})


def _of_report(report: Report) -> Sentence:
    templates = _MAY_STAY if report.outcome is ReportOutcome.NO_ACTION else _ACTED_ON
    return Sentence.made(templates[report.subject_kind], None, {})
