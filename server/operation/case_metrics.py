"""Prometheus metrics of reports, cases and appeals."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class CaseMetrics:
    """Records reports, decisions and appeals, and how many cases and appeals wait."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._case_reports = Counter("picshare_reports", "Reports by users.", ("category",), registry=registry)
        self._case_decisions = Counter(
            "picshare_case_decisions", "Decisions of moderators about cases.", ("action",), registry=registry
        )
        self._case_appeals = Counter("picshare_appeals", "Appeals against decisions.", registry=registry)
        self._case_numbers = Gauge("picshare_cases", "Cases that wait for a decision.", ("state",), registry=registry)
        self._case_age = Gauge(
            "picshare_case_age_seconds",
            "Seconds since the oldest case was opened that is not decided.",
            registry=registry,
        )
        self._case_pending = Gauge("picshare_appeals_pending", "Appeals that wait for an answer.", registry=registry)

    def report_filed(self, category: str) -> None:
        """Record a new report."""
        self._case_reports.labels(category).inc()

    def case_decided(self, action: str) -> None:
        """Record a decision."""
        self._case_decisions.labels(action).inc()

    def appeal_filed(self) -> None:
        """Record a new appeal."""
        self._case_appeals.inc()

    def cases_waiting(self, *, opened: int, escalated: int, oldest_seconds: float, appeals: int) -> None:
        """Record how many cases and appeals wait, and for how long the oldest case does."""
        self._case_numbers.labels("open").set(opened)
        self._case_numbers.labels("escalated").set(escalated)
        self._case_age.set(oldest_seconds)
        self._case_pending.set(appeals)
