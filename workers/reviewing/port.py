"""What the review of photos asks of a service, and what follows from its answer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from storage.moderation import MAX_LABELS, MAX_RULE, Decider, Decision, ModerationAction

HIDE, SENSITIVE = 0.9, 0.7  # the scores from which on a photo is hidden, and blurred
_REASON = "An automatic check has found something that is not allowed here, or not for everyone."
Scores = Mapping[str, float]  # of what must not be shown to everyone: label -> 0 to 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewSettings:
    """The service, its URL or None for that of the vendor, the key, and the scores from which on something follows.

    Only `labels` count; without any, all that the adapter knows as harmful do.
    """

    service: str
    key: str
    url: str | None = None
    hide: float = HIDE
    sensitive: float = SENSITIVE
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A request to a service."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


class BadAnswerError(Exception):
    """Raised for an answer that is not one of the service; the text is for the log."""


class ReviewService(Protocol):
    """The shapes of one vendor."""

    name: str

    def question(self, image_url: str, text: str) -> Question:
        """Return the request about an image, with the text below it."""
        ...

    def scores(self, document: Mapping[str, Any]) -> Scores:
        """Return the scores in an answer; raise any of LookupError, TypeError, ValueError, AttributeError."""
        ...


def scores_in(service: ReviewService, body: bytes) -> Scores:
    """Return the scores in the body of an answer; raise `BadAnswerError`: none is ever taken for a harmless image."""
    try:
        found = dict(service.scores(json.loads(body)))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadAnswerError(f"the answer is none of {service.name}: {type(error).__name__}") from error
    if not found or not all(_is_score(score) for score in found.values()):
        raise BadAnswerError(f"the answer of {service.name} has no scores from 0 to 1")
    return found


def decision_of(scores: Scores, settings: ReviewSettings) -> Decision:
    """Return the decision that follows from scores; its labels are the highest of them."""
    counted = {label: score for label, score in scores.items() if not settings.labels or label in settings.labels}
    highest = sorted(counted, key=lambda label: (-counted[label], label))
    top = counted[highest[0]] if highest else 0.0
    action = (
        ModerationAction.HIDE
        if top >= settings.hide
        else ModerationAction.SENSITIVE
        if top >= settings.sensitive
        else ModerationAction.ALLOW
    )
    found = action is not ModerationAction.ALLOW
    return Decision(
        action=action,
        by=Decider.SERVICE,
        source=settings.service,
        reason=_REASON if found else "",
        rule=highest[0][:MAX_RULE] if found else "",
        labels={label[:100]: round(counted[label], 4) for label in highest[:MAX_LABELS]},
    )


def highest_of(pairs: Iterator[tuple[str, float]]) -> Scores:
    """Return the highest score of each label."""
    found: dict[str, float] = {}
    for label, score in pairs:
        found[label] = max(score, found.get(label, 0.0))
    return found


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1
