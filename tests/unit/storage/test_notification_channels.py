"""Each kind on each channel reaches the recipient of each audience, and the defaults are what is documented."""

from __future__ import annotations

import itertools

import pytest

from storage.notification_channels import (
    KINDS,
    OF_USERS,
    Audience,
    Channel,
    Preferences,
    choices,
    default_audience,
    deviations,
)
from storage.notifications import NotificationKind

EVERYONE, FOLLOWING, NOBODY = Audience
MAILED = {
    *("comment", "reply", "mention", "follow_request", "moderation", "export_ready"),
    *("security", "webhook_failing", "webhook_disabled"),
}
FIXED = {("moderation", "inbox"), ("security", "inbox"), ("security", "email")}


def test_the_whole_matrix() -> None:
    """An activity uses a channel if both the inbox and the channel have an audience with its user."""
    combinations = itertools.product(KINDS, Channel, Audience, Audience, (True, False))
    for kind, channel, in_inbox, on_channel, followed in combinations:
        chosen = Preferences(deviations={(kind, channel): on_channel, (kind, Channel.INBOX): in_inbox})
        # Of the activities of PicShare itself there is no user to follow.
        near = {EVERYONE, FOLLOWING} if followed else {EVERYONE}
        audiences = [in_inbox] if channel is Channel.INBOX else [in_inbox, on_channel]
        expected = True
        for each, audience in zip((Channel.INBOX, channel), audiences, strict=False):
            if (kind, each) in FIXED:
                continue
            # What cannot be chosen has the default.
            possible = audience is not FOLLOWING or kind in OF_USERS
            expected = expected and (audience if possible else default_audience(kind, each)) in near
        case = (kind, channel, in_inbox, on_channel, followed)
        assert chosen.allow(kind, channel, followed=followed) is expected, case


def test_the_defaults() -> None:
    """Without a choice all is recorded, published and pushed, and mail goes out about what waits for an answer."""
    for kind, followed in itertools.product(KINDS, (True, False)):
        used = {channel.value for channel in Channel if Preferences().allow(kind, channel, followed=followed)}
        assert used == {"inbox", "live", "push"} | ({"email"} if kind in MAILED else set()), kind


def test_every_default_can_be_chosen() -> None:
    """A user can return to each default, and every kind of users offers all three audiences on each channel."""
    for kind, channel in itertools.product(NotificationKind, Channel):
        assert default_audience(kind, channel) in choices(kind, channel)
    assert all(choices(kind, channel) == tuple(Audience) for kind in OF_USERS for channel in Channel)


def test_only_deviations_are_kept() -> None:
    """A choice that equals the default is not stored, so that a later default applies to it."""
    chosen = [
        (NotificationKind.LIKE, Channel.PUSH, EVERYONE),
        (NotificationKind.LIKE, Channel.EMAIL, EVERYONE),
        (NotificationKind.COMMENT, Channel.EMAIL, EVERYONE),
        (NotificationKind.COMMENT, Channel.PUSH, NOBODY),
    ]
    assert deviations(chosen) == {
        (NotificationKind.LIKE, Channel.EMAIL): EVERYONE,
        (NotificationKind.COMMENT, Channel.PUSH): NOBODY,
    }


@pytest.mark.parametrize("kind", [NotificationKind.DECISION, NotificationKind.APPEAL_ANSWERED])
def test_decisions_follow_the_choice_for_moderation(kind: NotificationKind) -> None:
    """Kinds that users read under another one have the choices of that one."""
    chosen = Preferences(deviations={(NotificationKind.MODERATION, Channel.PUSH): NOBODY})
    assert not chosen.allow(kind, Channel.PUSH, followed=False)
    assert chosen.allow(kind, Channel.INBOX, followed=False)
