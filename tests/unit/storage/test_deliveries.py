"""What becomes of a due delivery, one reason after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.deliveries import (
    Decision,
    Delivery,
    DeliveryChannel,
    Drop,
    Entry,
    Limits,
    Postpone,
    Reason,
    Recent,
    Send,
    Summarize,
    decide,
    decide_summary,
    first_due,
    retry_at,
)
from storage.notification_channels import Audience, Channel, Preferences
from storage.notifications import NotificationKind
from storage.quiet_hours import QuietHours

NOW = datetime(2027, 1, 8, 23, 0, tzinfo=UTC)
MORNING = datetime(2027, 1, 9, 7, 0, tzinfo=UTC)
NIGHT = QuietHours(zone="UTC", begin=22 * 60, end=7 * 60)
NONE = Recent(by_group={})
LIMITS = Limits(pushes_per_hour=3, group_pause=timedelta(minutes=10))
PUSH = Delivery(
    id=1,
    user_id=2,
    channel=DeliveryChannel.PUSH,
    notification_id=3,
    kind="comment",
    group="comment:3",
    created_at=NOW,
)
MAIL = replace(PUSH, channel=DeliveryChannel.EMAIL)
COMMENT = Entry(kind=NotificationKind.COMMENT, read=False, updated_at=NOW, followed=False)
SECURITY = replace(COMMENT, kind=NotificationKind.SECURITY)


def decided(
    delivery: Delivery = PUSH,
    entry: Entry | None = COMMENT,
    preferences: Preferences | None = None,
    quiet: QuietHours | None = None,
    recent: Recent = NONE,
) -> Decision:
    """Return the decision at `NOW`."""
    return decide(delivery, entry, preferences or Preferences(), quiet, recent, now=NOW, limits=LIMITS)


def pushed(*minutes: int, group: str = "other") -> Recent:
    """Return the pushes of so many minutes ago."""
    times = sorted(NOW - timedelta(minutes=each) for each in minutes)
    return Recent(times=times, by_group={group: times[-1]})


@pytest.mark.parametrize("delivery", [PUSH, MAIL])
def test_what_is_wanted_is_sent(delivery: Delivery) -> None:
    """An unread entry outside of quiet hours goes out."""
    assert decided(delivery) == Send()


@pytest.mark.parametrize("delivery", [PUSH, MAIL])
@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (None, Reason.DELETED),
        (replace(COMMENT, read=True), Reason.READ),
        (replace(COMMENT, blocked=True), Reason.BLOCKED),
    ],
)
def test_what_is_not_wanted_any_more_is_dropped(delivery: Delivery, entry: Entry | None, reason: Reason) -> None:
    """An entry that was read or deleted, or whose users are all blocked, does not go out, at night or by day."""
    assert decided(delivery, entry) == decided(delivery, entry, quiet=NIGHT) == Drop(reason)


def test_a_preference_of_this_moment_counts() -> None:
    """A channel that the user has turned off since is not used, and one for followed users only for those."""
    nobody = Preferences(deviations={(NotificationKind.COMMENT, Channel.PUSH): Audience.NOBODY})
    following = Preferences(deviations={(NotificationKind.COMMENT, Channel.PUSH): Audience.FOLLOWING})
    assert decided(preferences=nobody) == Drop(Reason.PREFERENCE)
    assert decided(preferences=following) == Drop(Reason.PREFERENCE)
    assert decided(entry=replace(COMMENT, followed=True), preferences=following) == Send()
    assert decided(MAIL, preferences=nobody) == Send()


@pytest.mark.parametrize("delivery", [PUSH, MAIL])
def test_quiet_hours_postpone_all_but_security_and_moderation(delivery: Delivery) -> None:
    """In the night a delivery waits for the morning; what is urgent does not."""
    moderation = replace(COMMENT, kind=NotificationKind.MODERATION)
    by_mail = Preferences(deviations={(NotificationKind.SECURITY, Channel.EMAIL): Audience.EVERYONE})
    assert decided(delivery, quiet=NIGHT) == Postpone(MORNING)
    assert decided(delivery, SECURITY, by_mail, quiet=NIGHT) == decided(delivery, moderation, quiet=NIGHT) == Send()


def test_a_group_is_silent_after_a_push() -> None:
    """Another push about the same waits until the pause is over; one about something else does not."""
    recent = pushed(4, group=PUSH.group)
    assert decided(recent=recent) == Postpone(NOW + timedelta(minutes=6))
    assert decided(recent=pushed(4)) == decided(recent=pushed(10, group=PUSH.group)) == Send()
    assert decided(MAIL, recent=recent) == Send()


def test_an_hour_has_a_number_of_pushes() -> None:
    """Pushes beyond it go into a summary, due when the oldest one is an hour old; urgent ones do not."""
    assert decided(recent=pushed(1, 30, 59)) == Summarize(NOW + timedelta(minutes=1))
    assert decided(recent=pushed(1, 2, 30, 59)) == Summarize(NOW + timedelta(minutes=30))
    assert decided(recent=pushed(1, 30, 60)) == Send()
    assert decided(MAIL, recent=pushed(1, 30, 59)) == decided(entry=SECURITY, recent=pushed(1, 30, 59)) == Send()


def test_a_summary_has_something_new_and_is_one_of_the_pushes_of_an_hour() -> None:
    """It is dropped if all was seen meanwhile, and waits for the end of quiet hours and of a full hour."""

    def decided_summary(missed: int = 2, quiet: QuietHours | None = None, recent: Recent = NONE) -> Decision:
        return decide_summary(missed, quiet, recent, now=NOW, limits=LIMITS)

    assert decided_summary(recent=pushed(1, 30, 60)) == Send()
    assert decided_summary(recent=pushed(1, 30, 59)) == Postpone(NOW + timedelta(minutes=1))
    assert decided_summary(quiet=NIGHT, recent=pushed(1, 30, 59)) == Postpone(MORNING)
    assert decided_summary(0, NIGHT, pushed(1, 30, 59)) == Drop(Reason.SEEN)


def test_a_push_of_yesterday_is_dropped() -> None:
    """After a day a push is not worth a ring; a mail still goes out."""
    old = replace(COMMENT, updated_at=NOW - timedelta(hours=25))
    assert decided(entry=old) == Drop(Reason.LATE)
    assert decided(MAIL, old) == Send()


def test_when_a_delivery_is_due_first() -> None:
    """A mail waits for its delay, and for the end of quiet hours that this leads into."""
    delay = timedelta(minutes=30)
    evening = NOW - timedelta(minutes=110)
    assert first_due(evening, NotificationKind.COMMENT, NIGHT, delay=timedelta()) == evening
    assert first_due(evening, NotificationKind.COMMENT, NIGHT, delay=delay) == evening + delay
    assert first_due(evening, NotificationKind.COMMENT, NIGHT, delay=2 * delay) == MORNING
    assert first_due(NOW, NotificationKind.SECURITY, NIGHT, delay=delay) == NOW + delay


def test_the_pauses_between_attempts() -> None:
    """Attempts follow after 30 s, 2, 8 and 32 minutes; a longer pause that is asked for is kept, up to an hour."""
    pauses = [retry_at(NOW, attempts, retry_after=None) for attempts in range(1, 6)]
    assert [each and (each - NOW).total_seconds() for each in pauses] == [30, 120, 480, 1920, None]
    assert retry_at(NOW, 1, retry_after=timedelta(minutes=5)) == NOW + timedelta(minutes=5)
    assert retry_at(NOW, 2, retry_after=timedelta(seconds=5)) == NOW + timedelta(seconds=120)
    assert retry_at(NOW, 1, retry_after=timedelta(days=5)) == NOW + timedelta(hours=1)
