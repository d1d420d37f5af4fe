"""What is counted of reports and decisions."""

from __future__ import annotations

from typing import Protocol

from storage.reports import CaseAction, Category


class CaseMetrics(Protocol):
    """Counts reports and decisions."""

    def report_filed(self, category: Category) -> None:
        """Record a new report."""
        ...

    def case_decided(self, action: CaseAction) -> None:
        """Record a decision."""
        ...

    def appeal_filed(self) -> None:
        """Record a new appeal."""
        ...


class NoCaseMetrics:
    """Records nothing."""

    def report_filed(self, category: Category) -> None:
        """Do nothing."""

    def case_decided(self, action: CaseAction) -> None:
        """Do nothing."""

    def appeal_filed(self) -> None:
        """Do nothing."""
