"""Events about the cases of moderators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class CaseDecided(Event):
    """A case was decided: its reporters are to be told the outcome, and the account concerned the decision."""

    topic: ClassVar[str] = "case.decided"
    case_id: int
    decision_id: int


@dataclass(frozen=True, kw_only=True)
class AppealAnswered(Event):
    """An appeal was answered: the account concerned is to be told."""

    topic: ClassVar[str] = "appeal.answered"
    decision_id: int
