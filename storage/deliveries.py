"""Deliveries of notifications out of the application, and what becomes of one that is due: decisions without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from storage.notification_channels import URGENT, Channel, Preferences
from storage.notifications import NotificationKind
from storage.quiet_hours import QuietHours, next_allowed

MAX_ATTEMPTS = 5
_FIRST_RETRY = timedelta(seconds=30)
_LAST_RETRY = timedelta(hours=1)
_TOO_LATE = timedelta(hours=24)  # after its news, a push is not worth a ring
HOUR = timedelta(hours=1)
SUMMARY = "summary"  # the kind of a push about all those that an hour had no room for


class DeliveryChannel(StrEnum):
    """A way out of the application; a digest is one mail about several notifications."""

    PUSH = "push"
    EMAIL = "email"
    DIGEST = "digest"


class DeliveryState(StrEnum):
    """State of a delivery: one is dropped that is not wanted any more, and has failed after the last attempt."""

    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a delivery was dropped."""

    READ = "read"
    SEEN = "seen"  # nothing in a digest is new
    VISITED = "visited"  # since the last digest
    DELETED = "deleted"  # the entry, or the account
    BLOCKED = "blocked"  # all its users
    PREFERENCE = "preference"
    UNREACHABLE = "unreachable"  # no device or address
    LATE = "late"
    CAP = "cap"  # so many pushes within an hour; a summary follows


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A delivery that waits; `notification_id` of a digest and of a summary is the user."""

    id: int
    user_id: int
    channel: DeliveryChannel
    notification_id: int
    kind: str
    group: str
    attempts: int = 0
    created_at: datetime

    @property
    def of_entry(self) -> bool:
        """Return whether it is about one entry of the inbox."""
        return self.channel is not DeliveryChannel.DIGEST and self.kind != SUMMARY


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of pushes: how many a user gets within an hour, and how long a group is silent after one."""

    pushes_per_hour: int = 20
    group_pause: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a decision needs of the notification itself; `followed` is whether the user follows one of its actors."""

    kind: NotificationKind
    read: bool
    updated_at: datetime
    followed: bool
    blocked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Recent:
    """The pushes that a user got lately: the times within the last hour, ascending, and the last of each group."""

    times: Sequence[datetime] = ()
    by_group: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Send:
    """The delivery is sent now."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The delivery is not sent."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Postpone:
    """The delivery is due again at this moment."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Summarize:
    """The delivery is not sent; a summary of all such ones is due at this moment."""

    due_at: datetime


Decision = Send | Drop | Postpone | Summarize


def decide(
    delivery: Delivery,
    entry: Entry | None,
    preferences: Preferences,
    quiet: QuietHours | None,
    recent: Recent,
    *,
    now: datetime,
    limits: Limits,
) -> Decision:
    """Return what becomes of a due push or mail about `entry`, None once that is deleted.

    The order is that of certainty: what is not wanted at all, then what is not wanted now, then limits.
    """
    unwanted = _unwanted(delivery, entry, preferences)
    if entry is None or unwanted is not None:
        return Drop(unwanted or Reason.DELETED)
    if entry.kind.shown in URGENT:
        return Send()
    allowed = next_allowed(now, quiet)
    if allowed > now:
        return Postpone(allowed)
    if delivery.channel is not DeliveryChannel.PUSH:
        return Send()
    return _limited(delivery, entry, recent, now=now, limits=limits)


def decide_summary(
    missed: int, quiet: QuietHours | None, recent: Recent, *, now: datetime, limits: Limits
) -> Send | Drop | Postpone:
    """Return what becomes of a due summary of pushes, `missed` of which are about entries that are still unseen."""
    if not missed:
        return Drop(Reason.SEEN)
    allowed = next_allowed(now, quiet)
    if allowed <= now:
        allowed = _next_push(recent, now=now, limits=limits)
    return Postpone(allowed) if allowed > now else Send()


def first_due(now: datetime, kind: NotificationKind, quiet: QuietHours | None, *, delay: timedelta) -> datetime:
    """Return when a delivery is due that may go out `delay` after now."""
    return now + delay if kind.shown in URGENT else next_allowed(now + delay, quiet)


def retry_at(now: datetime, attempts: int, *, retry_after: timedelta | None) -> datetime | None:
    """Return when to try again after `attempts` failures (1 or more), None after the last one.

    The pause grows fourfold from 30 seconds. A longer one that the other side asks for is kept, up to an hour.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    pause: timedelta = min(_FIRST_RETRY * 4 ** (attempts - 1), _LAST_RETRY)
    return now + max(pause, min(retry_after or pause, _LAST_RETRY))


def _unwanted(delivery: Delivery, entry: Entry | None, preferences: Preferences) -> Reason | None:
    """Return why a delivery is not wanted at all, None if it is."""
    if entry is None:
        return Reason.DELETED
    if entry.read:
        return Reason.READ
    if entry.blocked:
        return Reason.BLOCKED
    channel = Channel(delivery.channel.value)
    return None if preferences.allow(entry.kind, channel, followed=entry.followed) else Reason.PREFERENCE


def _limited(delivery: Delivery, entry: Entry, recent: Recent, *, now: datetime, limits: Limits) -> Decision:
    if now - entry.updated_at > _TOO_LATE:
        return Drop(Reason.LATE)
    last = recent.by_group.get(delivery.group)
    if last is not None and now < last + limits.group_pause:
        return Postpone(last + limits.group_pause)
    free_at = _next_push(recent, now=now, limits=limits)
    # By itself it would be one of a series of stale pushes then.
    return Summarize(free_at) if free_at > now else Send()


def _next_push(recent: Recent, *, now: datetime, limits: Limits) -> datetime:
    """Return when the user may get another push: now, or when the oldest of a full hour is an hour old."""
    within = [time for time in recent.times if time > now - HOUR]
    return now if len(within) < limits.pushes_per_hour else within[-limits.pushes_per_hour] + HOUR
