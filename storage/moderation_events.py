"""Events about the cases of moderators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class CaseDecided(Event):
    """A case was decided: the reporters are notified of the outcome, and the account concerned of the decision."""

    topic: ClassVar[str] = "case.decided"
    case_id: int
    decision_id: int


@dataclass(frozen=True, kw_only=True)
class AppealAnswered(Event):
    """An appeal was answered: the account concerned is notified."""

    topic: ClassVar[str] = "appeal.answered"
    decision_id: int
