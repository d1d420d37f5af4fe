"""Push messages as a channel of notifications."""

from __future__ import annotations

from storage.notifications import Notification
from workers.deliveries.port import SendOutcome, Sent
from workers.jobs.deliveries.pushes import PushDelivery
from workers.web_push.notices import PushNotice, notice_of, summary_of


class NotificationPush:
    """The channel to the browsers of a user that have subscribed."""

    def __init__(self, pushes: PushDelivery) -> None:
        self._pushes = pushes

    async def reaches(self, user_id: int) -> bool:
        """Return whether a browser of the user has subscribed."""
        return await self._pushes.reaches(user_id)

    async def send(self, user_id: int, entry: Notification) -> Sent:
        """Send an entry to all browsers; those that could not get it do so with the next attempt."""
        return await self._deliver(user_id, notice_of(entry))

    async def send_summary(self, user_id: int, summary_id: int, number: int) -> Sent:
        """Send that there are so many more notifications."""
        return await self._deliver(user_id, summary_of(user_id, summary_id, number))

    async def _deliver(self, user_id: int, notice: PushNotice) -> Sent:
        report = await self._pushes.deliver(user_id, notice)
        if report.later:
            return Sent(outcome=SendOutcome.FAILED, error=report.error, retry_after=report.retry_after)
        if not report.sent:
            return Sent(outcome=SendOutcome.GONE, error=report.error)
        return Sent(outcome=SendOutcome.SENT)
