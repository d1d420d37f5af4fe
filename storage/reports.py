"""Reports by users, the cases that they open, and decisions about these; ids are integers, times aware UTC datetimes.

The priority of a case is severity × trust × reach, see `priority`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

ERASED_AFTER = timedelta(days=30)  # what was removed or suspended; until then the decision can be reverted
NEW_ACCOUNT = timedelta(days=1)
YOUNG_ACCOUNT = timedelta(days=7)
FIRST = 1_000_000.0  # the priority of cases before all others; reports do not reach it


class SubjectKind(StrEnum):
    """What can be reported."""

    PHOTO = "photo"
    COMMENT = "comment"
    USER = "user"


class Category(StrEnum):
    """Why something is reported, and the rule that a decision relies on; `SEVERITY` has the weights."""

    CHILD_SAFETY = "child_safety"
    SELF_HARM = "self_harm"
    VIOLENCE = "violence"
    HATE = "hate"
    ILLEGAL = "illegal"
    HARASSMENT = "harassment"
    NUDITY = "nudity"
    IMPERSONATION = "impersonation"
    COPYRIGHT = "copyright"
    SPAM = "spam"
    OTHER = "other"


SEVERITY: Mapping[Category, int] = MappingProxyType(
    {
        Category.CHILD_SAFETY: 1000,
        Category.SELF_HARM: 50,
        Category.VIOLENCE: 40,
        Category.HATE: 30,
        Category.ILLEGAL: 30,
        Category.HARASSMENT: 25,
        Category.NUDITY: 20,
        Category.IMPERSONATION: 10,
        Category.COPYRIGHT: 10,
        Category.SPAM: 5,
        Category.OTHER: 5,
    }
)


class CaseState(StrEnum):
    """State of a case; an escalated one is for administrators."""

    OPEN = "open"
    ESCALATED = "escalated"
    CLOSED = "closed"


class CaseAction(StrEnum):
    """What a decision does, to the subject or (`LIMIT` and `SUSPEND`) to the account concerned."""

    NONE = "none"
    SENSITIVE = "sensitive"
    HIDE = "hide"
    REMOVE = "remove"
    LIMIT = "limit"
    SUSPEND = "suspend"


OF_ACCOUNTS = frozenset({CaseAction.LIMIT, CaseAction.SUSPEND})


class DecisionSource(StrEnum):
    """By what a decision was made."""

    MODERATOR = "moderator"
    SERVICE = "service"
    AUTOMATIC = "automatic"


class AppealState(StrEnum):
    """State of an appeal: its decision is upheld or reverted in the end."""

    PENDING = "pending"
    UPHELD = "upheld"
    REVERTED = "reverted"


class ReportOutcome(StrEnum):
    """What a report has led to."""

    ACTION = "action"
    NO_ACTION = "no_action"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is reported: its kind and id, the account concerned, and the followers of the account that shows it."""

    kind: SubjectKind
    id: int
    owner_id: int
    reach: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report; `reporter_id` is None once the reporter's account is erased."""

    id: int
    case_id: int
    subject_kind: SubjectKind
    subject_id: int
    reporter_id: int | None
    category: Category
    text: str
    trust: float
    outcome: ReportOutcome | None
    created_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A case: all reports of one subject until they are decided. `category` is the most severe of these."""

    id: int
    subject_kind: SubjectKind
    subject_id: int
    owner_id: int
    state: CaseState
    category: Category
    reports: int
    trust: float
    reach: int
    priority: float
    assigned_to: int | None
    opened_at: datetime
    closed_at: datetime | None
    erase_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A decision, the statement of its reasons. `reverted` is set if a later one has undone it.

    `reason` is told to the account concerned, with `rule` and `facts`; `note` is for moderators alone.
    """

    id: int
    case_id: int
    subject_kind: SubjectKind
    subject_id: int
    owner_id: int
    source: DecisionSource
    decided_by: int | None
    action: CaseAction
    rule: Category
    reason: str
    facts: str
    note: str
    reverts: int | None
    reverted: bool
    appeal: AppealState | None
    created_at: datetime

    @property
    def automated(self) -> bool:
        """Return whether no person has decided."""
        return self.source is not DecisionSource.MODERATOR


@dataclass(frozen=True, kw_only=True, slots=True)
class Appeal:
    """An appeal of the account concerned against a decision."""

    decision_id: int
    case_id: int
    owner_id: int
    text: str
    state: AppealState
    answered_by: int | None
    answer: str
    created_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """An entry of the audit log of a case."""

    id: int
    case_id: int
    actor_id: int | None
    action: str
    details: Mapping[str, Any]
    created_at: datetime


def trust_of(*, age: timedelta, upheld: int, rejected: int) -> float:
    """Return how much a report of an account counts, above 0 and at most 1.

    A new account counts a quarter, one of less than a week half. The share of an account's reports that have led to an
    action counts as well, as if one more had done so.
    """
    by_age = 0.25 if age < NEW_ACCOUNT else 0.5 if age < YOUNG_ACCOUNT else 1.0
    return by_age * (1 + upheld) / (1 + upheld + rejected)


def priority(category: Category, *, trust: float, reach: int) -> float:
    """Return the priority of a case from the sum of its reporters' trust and the number of followers.

    Both count by their logarithms, so that a thousand reports do not hide a severe case from moderators.
    """
    return round(SEVERITY[category] * math.log2(1 + trust) * (1 + math.log10(1 + reach)), 3)


def raised(case: Case, category: Category, *, trust: float) -> float:
    """Return the priority of a case with more trust; one that comes before all others stays there."""
    return FIRST if case.priority >= FIRST else priority(category, trust=trust, reach=case.reach)


def more_severe(one: Category, other: Category) -> Category:
    """Return the category with the greater severity, the first of two equal ones."""
    return other if SEVERITY[other] > SEVERITY[one] else one
