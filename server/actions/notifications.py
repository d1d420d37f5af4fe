"""Mark notifications as seen or read, and count the new ones."""

from __future__ import annotations

from collections.abc import Sequence

from storage.feeds.notification_log import NotificationLog
from storage.models import NotificationCounters, NotificationMark
from storage.postgres.database import Database
from storage.stores import notifications
from workers.jobs.inbox import Inbox

MARK_QUOTA = "writes"


class NotificationActions:
    """The viewer's inbox; ids of other users' notifications are ignored."""

    def __init__(self, db: Database, log: NotificationLog) -> None:
        self._db = db
        self._inbox = Inbox(db, log)

    async def mark(
        self, viewer_id: int, mark: NotificationMark, notification_ids: Sequence[int] | None, up_to: int | None
    ) -> None:
        """Mark notifications, or all with None, as shown on the screen or opened; publish it to the other devices.

        With `up_to`, a `position`, those with later activities are left alone.
        """
        await self._inbox.mark(viewer_id, mark, notification_ids, up_to)

    async def counters(self, viewer_id: int) -> NotificationCounters:
        """Return how many notifications are unseen, and how many unread."""
        return await notifications.counters(self._db, viewer_id)
