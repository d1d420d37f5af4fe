"""The JSON of reports and of decisions about them, as the users concerned read them."""

from __future__ import annotations

from typing import Any

from storage.ids import encode
from storage.render.timestamps import timestamp
from storage.reports import Decision, Report


def report_fields(report: Report) -> dict[str, Any]:
    """Return the fields of a report that its reporter reads."""
    return {
        "id": encode(report.id),
        "kind": report.subject_kind,
        "subject_id": encode(report.subject_id),
        "category": report.category,
        "text": report.text,
        "outcome": report.outcome,
        "created_at": timestamp(report.created_at),
        "answered_at": None if report.answered_at is None else timestamp(report.answered_at),
    }


def decision_fields(decision: Decision) -> dict[str, Any]:
    """Return the fields of a decision that the account concerned reads, without the moderator."""
    return {
        "id": encode(decision.id),
        "kind": decision.subject_kind,
        "subject_id": encode(decision.subject_id),
        "action": decision.action,
        "rule": decision.rule,
        "reason": decision.reason,
        "facts": decision.facts,
        "automated": decision.automated,
        "reverted": decision.reverted,
        "reverts": None if decision.reverts is None else encode(decision.reverts),
        "appeal": decision.appeal,
        "created_at": timestamp(decision.created_at),
    }
