"""Mark notifications as seen or read, and count the new ones."""

from __future__ import annotations

from collections.abc import Sequence

from storage.models import NotificationCounters
from storage.postgres.database import Database
from storage.stores import notifications

MARK_QUOTA = "writes"


class NotificationActions:
    """The viewer's inbox; ids of other users' notifications are ignored."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def mark_seen(self, viewer_id: int, notification_ids: Sequence[int] | None) -> None:
        """Mark notifications, or all with None, as shown on the screen."""
        async with self._db.transaction() as tx:
            await notifications.mark_seen(tx, viewer_id, notification_ids)

    async def mark_read(self, viewer_id: int, notification_ids: Sequence[int] | None) -> None:
        """Mark notifications, or all with None, as opened, which implies seen."""
        async with self._db.transaction() as tx:
            await notifications.mark_read(tx, viewer_id, notification_ids)

    async def counters(self, viewer_id: int) -> NotificationCounters:
        """Return how many notifications are unseen, and how many unread."""
        return await notifications.counters(self._db, viewer_id)
