"""What a report counts, and the priority of a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.reports import (
    FIRST,
    SEVERITY,
    Case,
    CaseState,
    Category,
    SubjectKind,
    more_severe,
    priority,
    raised,
    trust_of,
)


@pytest.mark.parametrize(
    ("days", "upheld", "rejected", "trust"),
    [
        (0.9, 0, 0, 0.25),
        (1, 0, 0, 0.5),
        (6.9, 0, 0, 0.5),
        (7, 0, 0, 1.0),
        (365, 9, 0, 1.0),
        (365, 0, 9, 0.1),
        (365, 4, 5, 0.5),
        (0, 0, 1, 0.125),
    ],
)
def test_trust(days: float, upheld: int, rejected: int, trust: float) -> None:
    """New accounts count less, and so do those whose reports have led to nothing."""
    assert trust_of(age=timedelta(days=days), upheld=upheld, rejected=rejected) == pytest.approx(trust)


def test_priority() -> None:
    """The priority is severity × log2(1 + trust) × (1 + log10(1 + reach))."""
    assert priority(Category.SPAM, trust=1, reach=0) == 5
    assert priority(Category.SPAM, trust=3, reach=0) == 10
    assert priority(Category.SPAM, trust=1, reach=99) == 15
    assert priority(Category.NUDITY, trust=7, reach=999) == 240
    assert priority(Category.NUDITY, trust=0, reach=999) == 0


def test_a_severe_report_precedes_many_harmless_ones() -> None:
    """A thousand reports of spam do not hide one about the safety of a child, not even one of a new account."""
    new = trust_of(age=timedelta(0), upheld=0, rejected=0)
    assert priority(Category.CHILD_SAFETY, trust=1, reach=0) > priority(Category.SPAM, trust=1000, reach=0)
    assert priority(Category.CHILD_SAFETY, trust=new, reach=0) > priority(Category.SPAM, trust=1000 * new, reach=10**6)


def test_the_most_severe_category() -> None:
    """A case keeps its category unless another report is more severe; each category has a severity."""
    assert more_severe(Category.SPAM, Category.NUDITY) is Category.NUDITY
    assert more_severe(Category.NUDITY, Category.SPAM) is Category.NUDITY
    assert more_severe(Category.HATE, Category.ILLEGAL) is Category.HATE
    assert SEVERITY.keys() == set(Category)


def test_a_case_before_all_others_stays_there() -> None:
    """No number of reports reaches its priority, and further ones do not lower it."""
    assert priority(Category.CHILD_SAFETY, trust=1e9, reach=10**10) < FIRST
    case = Case(
        id=1,
        subject_kind=SubjectKind.USER,
        subject_id=2,
        owner_id=2,
        state=CaseState.OPEN,
        category=Category.CHILD_SAFETY,
        reports=1,
        trust=1,
        reach=9,
        priority=FIRST,
        assigned_to=None,
        opened_at=datetime.now(UTC),
        closed_at=None,
        erase_at=None,
    )
    assert raised(case, Category.CHILD_SAFETY, trust=2) == FIRST
    assert raised(replace(case, priority=5), Category.SPAM, trust=1) == priority(Category.SPAM, trust=1, reach=9)
