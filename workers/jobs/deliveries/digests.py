"""Digests: one mail about what a user has not seen, at eight o'clock in the user's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from storage.deliveries import Decision, Delivery, Drop, Postpone, Reason, Send
from storage.postgres.database import Database
from storage.quiet_hours import WEEK, UnknownZoneError, Weekday, next_allowed, next_time
from storage.stores.notifications import digests
from storage.stores.notifications.notification_preferences import DigestFrequency, Schedule
from workers.deliveries.port import Sent

MINUTE = 8 * 60  # of the day
SHOWN = 10  # entries


class DigestMail(Protocol):
    """Sends digests; the same guarantees as those of `NotificationChannel`."""

    async def reaches(self, user_id: int) -> bool:
        """Return whether the user has an address."""
        ...

    async def send(self, user_id: int, notification_ids: Sequence[int], *, total: int) -> Sent:
        """Send a digest with the newest of `total` notifications."""
        ...


class Digests:
    """Decides about digests that are due; without a `mail` there is none."""

    def __init__(self, db: Database, mail: DigestMail | None) -> None:
        self._db = db
        self._mail = mail

    async def decide(self, delivery: Delivery, schedule: Schedule, now: datetime) -> tuple[Decision, Sent | None]:
        """Send a due digest, if it has something new, and return the decision with the result."""
        if schedule.digest is DigestFrequency.OFF:
            return Drop(Reason.PREFERENCE), None
        allowed = next_allowed(now, schedule.quiet)
        if allowed > now:
            return Postpone(allowed), None
        if self._mail is None or not await self._mail.reaches(delivery.user_id):
            return Drop(Reason.UNREACHABLE), None
        news = await digests.news(self._db, delivery.user_id, limit=SHOWN)
        if news.last_seen_at > delivery.created_at:
            return Drop(Reason.VISITED), None
        if not news.notification_ids:
            return Drop(Reason.SEEN), None
        return Send(), await self._mail.send(delivery.user_id, news.notification_ids, total=news.total)

    def next_at(self, schedule: Schedule, now: datetime) -> datetime | None:
        """Return when the next digest is due, None for a user who wants none."""
        return next_digest(schedule, now)


def next_digest(schedule: Schedule, now: datetime) -> datetime | None:
    """Return the next eight o'clock of the user, of a Monday for a weekly digest; None for a user who wants none."""
    if schedule.digest is DigestFrequency.OFF:
        return None
    days = WEEK if schedule.digest is DigestFrequency.DAILY else (Weekday.MONDAY,)
    try:
        return next_time(now, schedule.zone, minute=MINUTE, days=days)
    except UnknownZoneError:
        # The machine has other time zones than the one that accepted it.
        return next_time(now, "UTC", minute=MINUTE, days=days)
