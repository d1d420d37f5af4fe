"""The channels of notifications, and the users whose activities may use each: decisions without I/O.

A user chooses an audience for each kind and channel. What the user has not chosen has the default of the table below,
so only deviations from it are stored. A notification that is not recorded in the inbox goes out on no other channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from storage.notifications import NotificationKind


class Channel(StrEnum):
    """A way on which a notification reaches its recipient."""

    INBOX = "inbox"  # the list of notifications
    LIVE = "live"  # open pages, at once
    PUSH = "push"  # devices, also without an open page
    EMAIL = "email"  # of what was not read for a while


class Audience(StrEnum):
    """The users whose activities use a channel."""

    EVERYONE = "everyone"
    FOLLOWING = "following"  # the users that the recipient follows
    NOBODY = "nobody"


# The kinds that users read, each with choices of its own (`NotificationKind.shown`).
KINDS = tuple(kind for kind in NotificationKind if kind.shown is kind)

# Kinds whose activities are those of other users; PicShare itself is the author of all others.
OF_USERS = frozenset(
    {
        NotificationKind.LIKE,
        NotificationKind.COMMENT,
        NotificationKind.FOLLOW,
        NotificationKind.FOLLOW_REQUEST,
        NotificationKind.FOLLOW_ACCEPTED,
        NotificationKind.MENTION,
        NotificationKind.REPLY,
        NotificationKind.COMMENT_LIKE,
        NotificationKind.POST_BY,
    }
)
# Kinds about the user's security, and decisions of moderators about the user. They wait for no quiet hours.
URGENT = frozenset({NotificationKind.MODERATION, NotificationKind.SECURITY})

# Kinds whose mails are not those of unread notifications: they are sent at once, with the event itself.
MAILED_AT_ONCE = frozenset(
    {NotificationKind.SECURITY, NotificationKind.WEBHOOK_FAILING, NotificationKind.WEBHOOK_DISABLED}
)
# What cannot be changed: a user whose account is in the wrong hands must learn of it.
_FIXED = frozenset(
    {
        (NotificationKind.MODERATION, Channel.INBOX),
        (NotificationKind.SECURITY, Channel.INBOX),
        (NotificationKind.SECURITY, Channel.EMAIL),
    }
)

# Everything is recorded, published and pushed unless the user chooses otherwise. Mail goes out only about what is rare
# or waits for an answer.
_MAILED = MAILED_AT_ONCE | {
    NotificationKind.MODERATION,
    NotificationKind.COMMENT,
    NotificationKind.REPLY,
    NotificationKind.MENTION,
    NotificationKind.FOLLOW_REQUEST,
    NotificationKind.EXPORT_READY,
}


def default_audience(kind: NotificationKind, channel: Channel) -> Audience:
    """Return the audience of a user who has not chosen one."""
    if channel is Channel.EMAIL and kind.shown not in _MAILED:
        return Audience.NOBODY
    return Audience.EVERYONE


def choices(kind: NotificationKind, channel: Channel) -> tuple[Audience, ...]:
    """Return the audiences that a user may choose; a single one cannot be changed."""
    if (kind.shown, channel) in _FIXED:
        return (Audience.EVERYONE,)
    if kind not in OF_USERS:
        return (Audience.EVERYONE, Audience.NOBODY)
    return tuple(Audience)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """The choices of a user: `deviations` from the defaults."""

    deviations: Mapping[tuple[NotificationKind, Channel], Audience] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def audience(self, kind: NotificationKind, channel: Channel) -> Audience:
        """Return the audience of a channel; a stored one that may not be chosen (any more) does not count."""
        chosen = self.deviations.get((kind.shown, channel))
        return chosen if chosen in choices(kind, channel) else default_audience(kind, channel)

    def allow(self, kind: NotificationKind, channel: Channel, *, followed: bool) -> bool:
        """Return whether an activity uses a channel; `followed` is whether the recipient follows its user."""
        channels = {Channel.INBOX, channel}
        return all(_belongs(self.audience(kind, each), kind, followed=followed) for each in channels)


def deviations(
    chosen: Iterable[tuple[NotificationKind, Channel, Audience]],
) -> dict[tuple[NotificationKind, Channel], Audience]:
    """Return which choices differ from the defaults."""
    return {
        (kind, channel): audience
        for kind, channel, audience in chosen
        if audience is not default_audience(kind, channel)
    }


def _belongs(audience: Audience, kind: NotificationKind, *, followed: bool) -> bool:
    match audience:
        case Audience.EVERYONE:
            return True
        case Audience.FOLLOWING:
            return followed or kind not in OF_USERS
        case Audience.NOBODY:
            return False
