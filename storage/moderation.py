"""Domain types of moderation: what is decided about a photo, the decider, and which of several decisions applies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

MAX_REASON = 500  # characters of a reason, which the author reads
MAX_RULE = 100  # characters of the name of a rule
MAX_LABELS = 50  # of a decision


class ModerationAction(StrEnum):
    """What is decided about a photo, the mildest first."""

    ALLOW = "allow"
    SENSITIVE = "sensitive"  # shown, but blurred until the viewer wants to see it
    HOLD = "hold"  # not shown until a moderator or a service decides, or the time is over
    HIDE = "hide"  # not shown


class Decider(StrEnum):
    """The author of a decision: a moderator, a service or a rule."""

    MODERATOR = "moderator"
    SERVICE = "service"
    AUTOMATIC = "automatic"


class ModerationState(StrEnum):
    """State of a photo by the decision that applies, as its author reads it."""

    SENSITIVE = "sensitive"
    HELD = "held"
    HIDDEN = "hidden"


_STRICTNESS = {action: place for place, action in enumerate(ModerationAction)}
_STATES = {
    ModerationAction.SENSITIVE: ModerationState.SENSITIVE,
    ModerationAction.HOLD: ModerationState.HELD,
    ModerationAction.HIDE: ModerationState.HIDDEN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A decision about a photo.

    `source` distinguishes deciders of a kind: it is the id of a service's endpoint, or the name of an automatic rule,
    and empty for moderators, who decide together. `reason` is text for the author, `rule` names what was broken.
    `until` is the end of a hold. `decided_at` is set when the decision is stored.
    """

    action: ModerationAction
    by: Decider
    source: str = ""
    reason: str = ""
    rule: str = ""
    labels: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    until: datetime | None = None
    decided_at: datetime | None = None

    @property
    def withholds(self) -> bool:
        """Return whether the photo is shown to its author alone."""
        return self.action in {ModerationAction.HOLD, ModerationAction.HIDE}

    @property
    def state(self) -> ModerationState | None:
        """Return the state of the photo by this decision, None for a photo that is shown as any other."""
        return _STATES.get(self.action)


def applies(decisions: Iterable[Decision]) -> Decision | None:
    """Return the decision that applies, of at most one for each source; None without any.

    That of the moderators applies before all others. Of the others the strictest applies, except that a hold ends with
    the decision of a service. So the result does not depend on the order in which they were made.
    """
    found = list(decisions)
    by_moderators = [decision for decision in found if decision.by is Decider.MODERATOR]
    if by_moderators:
        return max(by_moderators, key=_order)
    if any(decision.by is Decider.SERVICE for decision in found):
        found = [decision for decision in found if decision.action is not ModerationAction.HOLD]
    return max(found, key=_order, default=None)


def _order(decision: Decision) -> tuple[int, str, str]:
    return _STRICTNESS[decision.action], decision.by, decision.source


def from_document(document: Mapping[str, Any]) -> Decision:
    """Return the decision of a document that `to_document` has made."""
    return Decision(
        action=ModerationAction(document["action"]),
        by=Decider(document["by"]),
        source=document["source"],
        reason=document["reason"],
        rule=document["rule"],
        labels=document["labels"],
        until=_time(document["until"]),
        decided_at=_time(document["decided_at"]),
    )


def to_document(decision: Decision) -> dict[str, Any]:
    """Return a decision as a document for JSON."""
    times = {"until": decision.until, "decided_at": decision.decided_at}
    return {
        "action": decision.action.value,
        "by": decision.by.value,
        "source": decision.source,
        "reason": decision.reason,
        "rule": decision.rule,
        "labels": dict(decision.labels),
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
