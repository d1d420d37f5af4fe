"""Models of response bodies about cases, for moderators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.edge.photo_responses import PhotoResponse
from server.edge.report_responses import (
    AppealResponse,
    DecisionResponse,
    ReportResponse,
    appeal_fields,
    decision_fields,
    time_or_none,
)
from server.edge.responses import Id, ResponseModel, Time, UserSummaryResponse
from storage.ids import encode
from storage.models import Role
from storage.render import reports
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields
from storage.reports import (
    Appeal,
    AuditEntry,
    Case,
    CaseState,
    Category,
    Decision,
    Report,
    SubjectKind,
)
from storage.stores.moderation.moderated_subjects import ModeratedAccount, ModeratedComment

Accounts = Mapping[int, ModeratedAccount]


class CaseResponse(ResponseModel):
    """A case in a list; `account` is the account concerned, null once it is deleted."""

    id: Id
    kind: SubjectKind
    subject_id: Id
    account: UserSummaryResponse | None
    state: CaseState
    category: Category
    reports: int
    reach: int
    priority: float
    assigned_to: UserSummaryResponse | None
    opened_at: Time
    closed_at: Time | None

    @classmethod
    def from_model(cls, case: Case, accounts: Accounts) -> CaseResponse:
        """Return the response for a case."""
        return cls(**case_fields(case, accounts))


class ModeratedAccountResponse(ResponseModel):
    """The account that a case concerns; `limited_at` and `suspended_at` are null while it is neither."""

    id: Id
    username: str
    display_name: str
    avatar_url: str | None
    bio: str
    role: Role
    private: bool
    followers: int
    photos: int
    created_at: Time
    limited_at: Time | None
    suspended_at: Time | None


class ModeratedCommentResponse(ResponseModel):
    """The comment that a case is about; `hidden` by a moderator."""

    id: Id
    photo_id: Id
    text: str
    hidden: bool
    created_at: Time


class CaseReportResponse(ReportResponse):
    """A report in a case; `reporter` is null once the account is deleted. `trust` is how much it counts."""

    reporter: UserSummaryResponse | None
    trust: float


class CaseDecisionResponse(DecisionResponse):
    """A decision as moderators see it, with the moderator and the internal note."""

    decided_by: UserSummaryResponse | None
    note: str


class CaseAppealResponse(AppealResponse):
    """An appeal as moderators see it."""

    answered_by: UserSummaryResponse | None


class AuditEntryResponse(ResponseModel):
    """An entry of the audit log; `actor` is null for PicShare and for the account concerned."""

    id: Id
    action: str
    actor: UserSummaryResponse | None
    details: dict[str, Any]
    created_at: Time


class CaseFileResponse(CaseResponse):
    """A case with its subject, its history, and other cases about the same account.

    `photo` and `comment` are null unless the case is about one that is not deleted.
    """

    concerned: ModeratedAccountResponse | None
    photo: PhotoResponse | None
    comment: ModeratedCommentResponse | None
    report_list: list[CaseReportResponse]
    decisions: list[CaseDecisionResponse]
    appeals: list[CaseAppealResponse]
    audit: list[AuditEntryResponse]
    other_cases: list[CaseResponse]


class PendingAppealResponse(CaseAppealResponse):
    """An appeal in the queue, with the decision and the account concerned."""

    decision: CaseDecisionResponse
    case_id: Id
    account: UserSummaryResponse | None


def case_report(report: Report, accounts: Accounts) -> CaseReportResponse:
    """Return the response for a report in a case."""
    return CaseReportResponse(
        **reports.report_fields(report), reporter=_user(report.reporter_id, accounts), trust=report.trust
    )


def case_decision(decision: Decision, accounts: Accounts) -> CaseDecisionResponse:
    """Return the response for a decision as moderators see it."""
    return CaseDecisionResponse(
        **decision_fields(decision), decided_by=_user(decision.decided_by, accounts), note=decision.note
    )


def case_appeal(appeal: Appeal, accounts: Accounts) -> CaseAppealResponse:
    """Return the response for an appeal as moderators see it."""
    return CaseAppealResponse(**appeal_fields(appeal), answered_by=_user(appeal.answered_by, accounts))


def pending_appeal(appeal: Appeal, decision: Decision, accounts: Accounts) -> PendingAppealResponse:
    """Return the response for an appeal in the queue."""
    return PendingAppealResponse(
        **appeal_fields(appeal),
        answered_by=None,
        decision=case_decision(decision, accounts),
        case_id=encode(appeal.case_id),
        account=_user(appeal.owner_id, accounts),
    )


def audit_entry(entry: AuditEntry, accounts: Accounts) -> AuditEntryResponse:
    """Return the response for an entry of the audit log."""
    return AuditEntryResponse(
        id=encode(entry.id),
        action=entry.action,
        actor=_user(entry.actor_id, accounts),
        details=dict(entry.details),
        created_at=timestamp(entry.created_at),
    )


def moderated_account(account: ModeratedAccount | None) -> ModeratedAccountResponse | None:
    """Return the response for an account that a case concerns, None for a deleted one."""
    if account is None:
        return None
    user = account.user
    return ModeratedAccountResponse(
        **user_summary_fields(user),
        bio=user.bio,
        role=user.role,
        private=user.private,
        followers=user.followers,
        photos=user.photos,
        created_at=timestamp(user.created_at),
        limited_at=time_or_none(account.limited_at),
        suspended_at=time_or_none(account.suspended_at),
    )


def moderated_comment(found: ModeratedComment | None) -> ModeratedCommentResponse | None:
    """Return the response for a comment that a case is about, None for a deleted one."""
    if found is None:
        return None
    comment = found.comment
    return ModeratedCommentResponse(
        id=encode(comment.id),
        photo_id=encode(comment.photo_id),
        text=comment.text,
        hidden=found.hidden,
        created_at=timestamp(comment.created_at),
    )


def case_fields(case: Case, accounts: Accounts) -> dict[str, Any]:
    """Return the fields of `CaseResponse`."""
    return {
        "id": encode(case.id),
        "kind": case.subject_kind,
        "subject_id": encode(case.subject_id),
        "account": _user(case.owner_id, accounts),
        "state": case.state,
        "category": case.category,
        "reports": case.reports,
        "reach": case.reach,
        "priority": case.priority,
        "assigned_to": _user(case.assigned_to, accounts),
        "opened_at": timestamp(case.opened_at),
        "closed_at": time_or_none(case.closed_at),
    }


def _user(user_id: int | None, accounts: Accounts) -> UserSummaryResponse | None:
    found = None if user_id is None else accounts.get(user_id)
    return None if found is None else UserSummaryResponse(**user_summary_fields(found.user))
