"""Models of the bodies about the preferences of notifications."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from server.edge.requests import RequestModel
from storage.notification_channels import KINDS, Audience, Channel, choices, default_audience
from storage.notifications import NotificationKind
from storage.quiet_hours import WEEK, QuietHours, Weekday, find_zone
from storage.stores.notifications.notification_preferences import DigestFrequency

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _zone(name: str) -> str:
    find_zone(name)  # its error is a ValueError with a message for the user
    return name


def _clock(text: str) -> str:
    if _CLOCK.fullmatch(text) is None:
        raise ValueError("Use hours and minutes, such as 22:00.")
    return text


Zone = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "maxLength": 64, "examples": ["Europe/Berlin"]}),
]
ClockTime = Annotated[
    str,
    AfterValidator(_clock),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["22:00"]}),
]


class NotificationPreference(RequestModel):
    """The audiences of one kind of notifications; a channel that is left out has its default."""

    kind: NotificationKind
    inbox: Audience | None = None
    live: Audience | None = None
    push: Audience | None = None
    email: Audience | None = None

    @model_validator(mode="after")
    def _possible(self) -> NotificationPreference:
        if self.kind not in KINDS:
            raise ValueError(f"There are no preferences of the kind {self.kind}; use {self.kind.shown}.")
        for channel, audience in self.chosen().items():
            possible = choices(self.kind, channel)
            if audience not in possible:
                allowed = " or ".join(possible)
                raise ValueError(f"{channel} of {self.kind} can only be {allowed}.")
        return self

    def chosen(self) -> dict[Channel, Audience]:
        """Return the audience of each channel."""
        given = {channel: getattr(self, channel.value) for channel in Channel}
        return {channel: each or default_audience(self.kind, channel) for channel, each in given.items()}


class NotificationPreferencesUpdate(RequestModel):
    """All choices; kinds that are left out have their defaults."""

    items: Annotated[list[NotificationPreference], Field(max_length=len(KINDS))]

    @model_validator(mode="after")
    def _each_once(self) -> NotificationPreferencesUpdate:
        kinds = [item.kind for item in self.items]
        if len(set(kinds)) < len(kinds):
            raise ValueError("Name each kind once.")
        return self

    def chosen(self) -> dict[tuple[NotificationKind, Channel], Audience]:
        """Return the audience of each kind and channel that was named."""
        return {(item.kind, channel): audience for item in self.items for channel, audience in item.chosen().items()}


class QuietHoursUpdate(RequestModel):
    """Quiet hours: from one time of the day until another one, or until that time of the following day.

    `days` are those on which they begin.
    """

    zone: Zone
    from_: Annotated[ClockTime, Field(alias="from")]
    until: ClockTime
    days: Annotated[list[Weekday], Field(min_length=1, max_length=7, default_factory=lambda: list(WEEK))]

    @model_validator(mode="after")
    def _not_empty(self) -> QuietHoursUpdate:
        if self.from_ == self.until:
            raise ValueError("Quiet hours end at another time than they begin. To get no pushes at all, turn them off.")
        return self

    def quiet_hours(self) -> QuietHours:
        """Return the quiet hours."""
        return QuietHours(
            zone=self.zone, begin=_minutes(self.from_), end=_minutes(self.until), days=frozenset(self.days)
        )


class DigestUpdate(RequestModel):
    """How often you get a mail about what is new, at eight o'clock in your time zone: weekly ones on Mondays."""

    frequency: DigestFrequency
    zone: Zone | None = None


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
