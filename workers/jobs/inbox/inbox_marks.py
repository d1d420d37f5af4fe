"""What a user does with many entries of the own inbox at once: mark them, and delete those that are read.

As in `workers.jobs.inbox.inbox`, the change is made and published under the inbox's lock. It is published once for all
of them, to the other devices of the user.
"""

from __future__ import annotations

import structlog

from channels.bus import envelope
from storage.errors import UnavailableError
from storage.feeds.notification_log import MARKS, REMOVALS, NotificationLog
from storage.notifications import NotificationMark
from storage.postgres.database import Database
from storage.stores import inbox_lock
from storage.stores.notifications import notification_counters, notification_marks, notification_removal
from storage.stores.notifications.notification_marks import Selection
from workers.jobs.live import publications

DELETED_AT_ONCE = 500  # entries in one transaction

log = structlog.get_logger(__name__)


class InboxMarks:
    """Marks and deletes the entries that a user chooses; `limit` is the number that one transaction deletes."""

    def __init__(self, db: Database, log: NotificationLog, *, limit: int = DELETED_AT_ONCE) -> None:
        self._db = db
        self._log = log
        self._limit = limit

    async def mark(self, user_id: int, mark: NotificationMark, chosen: Selection) -> None:
        """Mark the user's entries as shown on the screen or opened; publish the change if there is one."""
        change = notification_marks.mark_read if mark is NotificationMark.READ else notification_marks.mark_seen
        async with inbox_lock.hold(self._db, user_id) as lock:
            async with self._db.transaction(lock) as tx:
                if not await change(tx, user_id, chosen):
                    return
                counters, newest = await notification_counters.with_newest(tx, user_id)
            document = publications.notifications_marked(mark, counters, _bounded(chosen, newest))
            await self._publish(user_id, MARKS[mark], document)

    async def delete_read(self, user_id: int, chosen: Selection) -> None:
        """Delete the chosen entries of the user that are read; publish the change if there is one."""
        async with inbox_lock.hold(self._db, user_id) as lock:
            deleted, more = 0, True
            while more:
                async with self._db.transaction(lock) as tx:
                    batch = await notification_removal.dismiss_read(tx, user_id, chosen, limit=self._limit)
                    counters, newest = await notification_counters.with_newest(tx, user_id)
                deleted, more = deleted + batch, batch == self._limit
            if deleted:
                document = publications.notifications_removed(counters, _bounded(chosen, newest))
                await self._publish(user_id, REMOVALS, document)

    async def _publish(self, user_id: int, log_entry: int, document: bytes) -> None:
        try:
            await self._log.push_change(user_id, log_entry, envelope.stream_body(publications.NOTIFICATIONS, document))
        except UnavailableError as error:
            # The change is committed, so the call succeeds; other devices see it when they read the inbox again.
            log.warning("mark_not_published", error=str(error))


def _bounded(chosen: Selection, newest: int | None) -> Selection:
    """Return a selection that says up to where the entries were chosen, for a device that receives later ones."""
    if chosen.entry_ids is not None or chosen.up_to is not None:
        return chosen
    return chosen._replace(up_to=newest)
