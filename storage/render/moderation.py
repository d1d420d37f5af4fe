"""The JSON of a decision of moderation about a photo."""

from __future__ import annotations

from typing import Any

from storage.moderation import Decision
from storage.render.timestamps import timestamp


def moderation_fields(decision: Decision) -> dict[str, Any]:
    """Return the fields of a decision that the photo's author reads: not which service or rule has decided."""
    return {
        "state": decision.state,
        "reason": decision.reason,
        "rule": decision.rule,
        "decided_by": decision.by,
        "decided_at": None if decision.decided_at is None else timestamp(decision.decided_at),
        "until": None if decision.until is None else timestamp(decision.until),
    }


def decision_fields(decision: Decision) -> dict[str, Any]:
    """Return the fields of a decision for moderators."""
    return {
        **moderation_fields(decision),
        "action": decision.action,
        "source": decision.source,
        "labels": dict(decision.labels),
    }
