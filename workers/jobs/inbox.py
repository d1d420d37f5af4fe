"""Notifications in PostgreSQL and on their owner's live stream, kept in the same order.

The inbox is changed in a transaction, and the result is published after its commit; both happen under the inbox's lock.
So what is published is committed, and of two changes at the same moment, in whatever processes, the one published last
includes both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from channels.bus import envelope
from storage.feeds.notification_log import NotificationLog
from storage.models import NotificationKind
from storage.postgres.database import Database, Queryable, Transaction
from storage.stores import notifications
from workers.jobs import publications

# A change of an inbox; it returns the id of the entry that it changed, if any.
Change = Callable[[Transaction], Awaitable[int | None]]


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that concerns the recipient; the fields are those of `storage.stores.notifications.record`.

    `actor_id` None is PicShare itself; `source_id` is the photo, comment or user that the activity is about.
    """

    recipient_id: int
    kind: NotificationKind
    actor_id: int | None
    photo_id: int | None = None
    source_id: int


class Inbox:
    """Records and retracts activities, and publishes each change; every method can be repeated."""

    def __init__(self, db: Database, log: NotificationLog) -> None:
        self._db = db
        self._log = log

    async def record(self, activity: Activity) -> None:
        """Record an activity and publish its entry, unless the recipient is not to be notified of it."""
        await self._change(activity, lambda tx: _record(tx, activity))

    async def retract(self, activity: Activity) -> None:
        """Remove an activity and publish what is left of its entry, or that the entry is gone."""
        await self._change(activity, lambda tx: _retract(tx, activity))

    async def reconcile(self, activity: Activity, holds: Callable[[Queryable], Awaitable[bool]]) -> None:
        """Record the activity if it `holds` now, else retract it."""

        async def change(tx: Transaction) -> int | None:
            # Events of one like that is given and removed at once may be handled at the same time in any order. Each
            # handler looks under the lock, and after the change that caused its event: so the last handler sees them
            # all. `holds` uses this transaction, because a second connection could not be had from a pool whose
            # connections all wait for the lock.
            return await (_record(tx, activity) if await holds(tx) else _retract(tx, activity))

        await self._change(activity, change)

    async def publish(self, recipient_id: int, entry_id: int) -> None:
        """Publish an entry as it is now, or that it is gone."""

        async def unchanged(_: Transaction) -> int | None:
            return entry_id

        await self._change_and_publish(recipient_id, unchanged)

    async def _change(self, activity: Activity, change: Change) -> None:
        # Users are not notified of their own activities.
        if activity.actor_id != activity.recipient_id:
            await self._change_and_publish(activity.recipient_id, change)

    async def _change_and_publish(self, recipient_id: int, change: Change) -> None:
        """Run `change`, which returns the id of the entry to publish, or None for none."""
        # A lock of the transaction would end with its commit, and of two handlers the one that committed first could
        # publish last.
        async with self._db.locked(recipient_id) as connection:
            async with connection.transaction() as tx:
                entry_id = await change(tx)
                if entry_id is None:
                    return
                # Read before the commit, which saves a round trip: under the lock nothing else changes the inbox.
                entry, counters = await notifications.entry_and_counters(tx, recipient_id, entry_id)
            if entry is None:
                document = publications.notification_removed(entry_id, counters)
            else:
                document = publications.notification_new(entry, counters)
            # A handler that dies before this line is repeated: it finds the activity recorded, and publishes then.
            await self._log.push(recipient_id, entry_id, envelope.stream_body(publications.NOTIFICATIONS, document))


async def _record(tx: Transaction, activity: Activity) -> int | None:
    return await notifications.record(tx, **asdict(activity))


async def _retract(tx: Transaction, activity: Activity) -> int | None:
    if activity.actor_id is None:
        raise ValueError("an activity of PicShare itself cannot be retracted")
    return await notifications.retract(tx, **asdict(activity))
