"""Models of the responses about the preferences of notifications."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from server.edge.activity_responses import CommentExcerptResponse
from server.edge.responses import Id, ResponseModel, Time
from storage.ids import encode
from storage.notification_channels import KINDS, Audience, Channel, Preferences, choices
from storage.notifications import NotificationKind
from storage.quiet_hours import WEEK, QuietHours, Weekday
from storage.render.timestamps import timestamp
from storage.stores.notifications.notification_preferences import DigestFrequency, Schedule
from storage.stores.notifications.notification_sources import SourceComment
from storage.stores.notifications.notification_text import excerpt_of
from storage.stores.social.muted_subjects import MutedSubject


class ChannelPreferenceResponse(ResponseModel):
    """The audience of a channel, and those that can be chosen; with one alone there is no choice."""

    audience: Audience
    choices: list[Audience]


class NotificationPreferenceResponse(ResponseModel):
    """The audiences of one kind of notifications. Without `inbox`, the other channels do not get it either."""

    kind: NotificationKind
    inbox: ChannelPreferenceResponse
    live: ChannelPreferenceResponse
    push: ChannelPreferenceResponse
    email: ChannelPreferenceResponse

    @classmethod
    def of_kind(cls, kind: NotificationKind, preferences: Preferences) -> NotificationPreferenceResponse:
        """Return the response for one kind."""
        channels = {
            channel.value: ChannelPreferenceResponse(
                audience=preferences.audience(kind, channel), choices=list(choices(kind, channel))
            )
            for channel in Channel
        }
        return cls(kind=kind, **channels)


class NotificationPreferencesResponse(ResponseModel):
    """The audiences of all kinds."""

    items: list[NotificationPreferenceResponse]

    @classmethod
    def from_model(cls, preferences: Preferences) -> NotificationPreferencesResponse:
        """Return the response for a user's choices."""
        return cls(items=[NotificationPreferenceResponse.of_kind(kind, preferences) for kind in KINDS])


class QuietHoursResponse(ResponseModel):
    """Quiet hours, by the clock in `zone`; without any, `from` and `until` are null and `days` is empty."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    zone: str
    from_: Annotated[str | None, Field(serialization_alias="from")]
    until: str | None
    days: list[Weekday]

    @classmethod
    def from_model(cls, schedule: Schedule) -> QuietHoursResponse:
        """Return the response for a user's schedule."""
        quiet = schedule.quiet
        if quiet is None:
            return cls(zone=schedule.zone, from_=None, until=None, days=[])
        return cls(zone=quiet.zone, from_=_clock(quiet.begin), until=_clock(quiet.end), days=_days(quiet))


class DigestResponse(ResponseModel):
    """How often a mail is sent about what is new, at eight o'clock by the clock in `zone`."""

    frequency: DigestFrequency
    zone: str

    @classmethod
    def from_model(cls, schedule: Schedule) -> DigestResponse:
        """Return the response for a user's schedule."""
        return cls(frequency=schedule.digest, zone=schedule.zone)


class MutedSubjectResponse(ResponseModel):
    """A muted photo, or with `comment_id` a muted thread below it; `comment` is null if you cannot see it now."""

    photo_id: Id
    comment_id: Id | None
    comment: CommentExcerptResponse | None
    created_at: Time

    @classmethod
    def from_model(cls, muted: MutedSubject, comment: SourceComment | None) -> MutedSubjectResponse:
        """Return the response for what is muted."""
        excerpt = None
        if comment is not None:
            excerpt = CommentExcerptResponse(id=encode(comment.id), excerpt=excerpt_of(comment.text))
        return cls(
            photo_id=encode(muted.photo_id),
            comment_id=None if muted.comment_id is None else encode(muted.comment_id),
            comment=excerpt,
            created_at=timestamp(muted.created_at),
        )


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days(quiet: QuietHours) -> list[Weekday]:
    return [day for day in WEEK if day in quiet.days]
