"""Domain types of the hold of new photos: which of them wait for a decision of moderation, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Holds(StrEnum):
    """Which new photos are held."""

    NONE = "none"
    NEW = "new"
    ALL = "all"


class HoldOutcome(StrEnum):
    """What happens to a held photo about which no one has decided in time."""

    RELEASE = "publish"
    HIDE = "hide"


@dataclass(frozen=True, kw_only=True)
class HoldPolicy:
    """Which new photos are held, for how many minutes at most, and what happens then."""

    hold: Holds = Holds.NONE
    hold_minutes: int = 10
    hold_outcome: HoldOutcome = HoldOutcome.RELEASE
