"""Push messages as a channel of notifications."""

from __future__ import annotations

from storage.notifications import Notification
from workers.deliveries.port import SendOutcome, Sent
from workers.jobs.pushes import PushDelivery


class NotificationPush:
    """The channel to the browsers of a user that have subscribed."""

    def __init__(self, pushes: PushDelivery) -> None:
        self._pushes = pushes

    async def reaches(self, user_id: int) -> bool:
        """Return whether a browser of the user has subscribed."""
        return await self._pushes.reaches(user_id)

    async def send(self, user_id: int, entry: Notification) -> Sent:
        """Send an entry to all browsers; those that could not get it do so with the next attempt."""
        report = await self._pushes.deliver(user_id, entry)
        if report.later:
            return Sent(outcome=SendOutcome.FAILED, error=report.error, retry_after=report.retry_after)
        if not report.sent:
            return Sent(outcome=SendOutcome.GONE, error=report.error)
        return Sent(outcome=SendOutcome.SENT)
