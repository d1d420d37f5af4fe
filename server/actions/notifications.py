"""Mark notifications as seen or read, delete them, and count the new ones."""

from __future__ import annotations

from storage.feeds.notification_log import NotificationLog
from storage.notifications import NotificationCounters, NotificationMark
from storage.postgres.database import Database
from storage.stores.notifications import notification_counters
from storage.stores.notifications.notification_marks import Selection
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.inbox_marks import InboxMarks

MARK_QUOTA = "writes"


class NotificationActions:
    """The viewer's inbox; every change is published to the viewer's other devices."""

    def __init__(self, db: Database, log: NotificationLog) -> None:
        self._db = db
        self._inbox = Inbox(db, log)
        self._marks = InboxMarks(db, log)

    async def mark(self, viewer_id: int, mark: NotificationMark, chosen: Selection) -> None:
        """Mark notifications as shown on the screen or opened; ids of other users' notifications are ignored."""
        await self._marks.mark(viewer_id, mark, chosen)

    async def delete(self, viewer_id: int, notification_id: int) -> None:
        """Delete a notification; raise `NotFoundError("notification")`. What it is about may be notified again."""
        await self._inbox.dismiss(viewer_id, notification_id)

    async def undo_deletion(self, viewer_id: int, notification_id: int) -> None:
        """Restore a notification that was deleted within the last hour; raise `NotFoundError("notification")`."""
        await self._inbox.undo_dismissal(viewer_id, notification_id)

    async def delete_read(self, viewer_id: int, chosen: Selection) -> None:
        """Delete the chosen notifications that are read."""
        await self._marks.delete_read(viewer_id, chosen)

    async def counters(self, viewer_id: int) -> NotificationCounters:
        """Return how many notifications are unseen, and how many unread, in all and of each kind."""
        return await notification_counters.read(self._db, viewer_id)
