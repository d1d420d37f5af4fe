"""The section `[moderation]`: what happens to new photos until a moderator or a service has decided about them."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section
from storage.holds import HoldOutcome, HoldPolicy, Holds

_DEFAULT = HoldPolicy()


class ModerationSection(Section):
    """Moderation of photos; see `docs/moderation.md`."""

    hold: Holds = Field(
        default=_DEFAULT.hold,
        description='Which new photos are held: "none", those of "new" accounts (younger than a day, or with fewer '
        'than three photos), or "all".',
    )
    hold_minutes: int = Field(
        default=_DEFAULT.hold_minutes,
        ge=1,
        le=10_080,
        description="Minutes for which a photo is held at most, from the moment at which its images exist.",
    )
    hold_outcome: HoldOutcome = Field(
        default=_DEFAULT.hold_outcome,
        description='What happens at the end of that time: "publish" or "hide".',
    )
