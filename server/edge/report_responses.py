"""Models of response bodies about reports, decisions and appeals, for the users concerned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from server.edge.responses import Id, ResponseModel, Time
from storage.ids import encode
from storage.render import reports
from storage.render.timestamps import timestamp
from storage.reports import (
    Appeal,
    AppealState,
    CaseAction,
    Category,
    Decision,
    Report,
    ReportOutcome,
    SubjectKind,
)

REDRESS = "You can appeal once. A moderator who has not made this decision answers."


class ReportResponse(ResponseModel):
    """A report of the viewer; `outcome` is null until a moderator has decided."""

    id: Id
    kind: SubjectKind
    subject_id: Id
    category: Category
    text: str
    outcome: ReportOutcome | None
    created_at: Time
    answered_at: Time | None

    @classmethod
    def from_model(cls, report: Report) -> ReportResponse:
        """Return the response for a report."""
        return cls(**reports.report_fields(report))


class DecisionResponse(ResponseModel):
    """A decision about the viewer: the statement of its reasons.

    `rule` is the ground, `facts` what the decision relies on. `reverted` if its action was undone, `reverts` the
    decision that this one undoes. `appeal` is the state of an appeal against it, null without one.
    """

    id: Id
    kind: SubjectKind
    subject_id: Id
    action: CaseAction
    rule: Category
    reason: str
    facts: str
    automated: bool
    reverted: bool
    reverts: Id | None
    appeal: AppealState | None
    redress: str | None
    created_at: Time

    @classmethod
    def from_model(cls, decision: Decision) -> DecisionResponse:
        """Return the response for the account concerned."""
        return cls(**decision_fields(decision))


class AppealResponse(ResponseModel):
    """An appeal; `answer` is empty until a moderator has answered it."""

    decision_id: Id
    text: str
    state: AppealState
    answer: str
    created_at: Time
    answered_at: Time | None

    @classmethod
    def from_model(cls, appeal: Appeal) -> AppealResponse:
        """Return the response for an appeal."""
        return cls(**appeal_fields(appeal))


def decision_fields(decision: Decision) -> dict[str, Any]:
    """Return the fields of `DecisionResponse`."""
    appealable = decision.action is not CaseAction.NONE and not decision.reverted and decision.appeal is None
    return {**reports.decision_fields(decision), "redress": REDRESS if appealable else None}


def appeal_fields(appeal: Appeal) -> dict[str, Any]:
    """Return the fields of `AppealResponse`."""
    return {
        "decision_id": encode(appeal.decision_id),
        "text": appeal.text,
        "state": appeal.state,
        "answer": appeal.answer,
        "created_at": timestamp(appeal.created_at),
        "answered_at": time_or_none(appeal.answered_at),
    }


def time_or_none(moment: datetime | None) -> str | None:
    """Return a time as responses have it, None for none."""
    return None if moment is None else timestamp(moment)
