"""Notifications in PostgreSQL and on their owner's live stream, kept in the same order.

The inbox is changed in a transaction, and the result is published after its commit; both happen under the inbox's lock.
So what is published is committed, and of two changes at the same moment, in whatever processes, the one published last
includes both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from channels.bus import envelope
from storage.feeds.notification_log import NotificationLog
from storage.models import NotificationKind
from storage.postgres.database import Database, Queryable, Transaction
from storage.stores import notifications
from workers.jobs import publications

# A change of an inbox; it returns the ids of the entries that it changed.
Change = Callable[[Transaction], Awaitable[Sequence[int]]]

_BATCH = 20  # entries that are changed under one lock; other handlers of the inbox wait meanwhile


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

        async def change(tx: Transaction) -> Sequence[int]:
            # Events of one like that is given and removed at once may be handled at the same time in any order. Each
            # handler looks under the lock, and after the change that caused its event: so the last handler sees them
            # all. `holds` uses this transaction, because a second connection could not be had from a pool whose
            # connections all wait for the lock.
            return await (_record(tx, activity) if await holds(tx) else _retract(tx, activity))

        await self._change(activity, change)

    async def retract_actor(self, recipient_id: int, actor_id: int) -> None:
        """Remove all activities of a user from an inbox, and publish what is left of each entry."""

        async def change(tx: Transaction) -> Sequence[int]:
            return await notifications.retract_actor(tx, recipient_id=recipient_id, actor_id=actor_id, limit=_BATCH)

        while await self._change_and_publish(recipient_id, change):
            pass

    async def publish(self, recipient_id: int, entry_id: int) -> None:
        """Publish an entry as it is now, or that it is gone."""

        async def unchanged(_: Transaction) -> Sequence[int]:
            return [entry_id]

        await self._change_and_publish(recipient_id, unchanged)

    async def _change(self, activity: Activity, change: Change) -> None:
        # Users are not notified of their own activities.
        if activity.actor_id != activity.recipient_id:
            await self._change_and_publish(activity.recipient_id, change)

    async def _change_and_publish(self, recipient_id: int, change: Change) -> int:
        """Run `change` and publish the entries whose ids it returns; return their number."""
        # A lock of the transaction would end with its commit, and of two handlers the one that committed first could
        # publish last.
        async with self._db.locked(recipient_id) as connection:
            async with connection.transaction() as tx:
                entry_ids = await change(tx)
                # Read before the commit, which saves a round trip: under the lock nothing else changes the inbox.
                documents = [(entry_id, await self._document(tx, recipient_id, entry_id)) for entry_id in entry_ids]
            # A handler that dies before this line is repeated: it finds the activity recorded, and publishes then.
            for entry_id, document in documents:
                await self._log.push(recipient_id, entry_id, envelope.stream_body(publications.NOTIFICATIONS, document))
        return len(documents)

    @staticmethod
    async def _document(tx: Transaction, recipient_id: int, entry_id: int) -> bytes:
        entry, counters = await notifications.entry_and_counters(tx, recipient_id, entry_id)
        if entry is None:
            return publications.notification_removed(entry_id, counters)
        return publications.notification_new(entry, counters)


async def _record(tx: Transaction, activity: Activity) -> Sequence[int]:
    entry_id = await notifications.record(tx, **asdict(activity))
    return [] if entry_id is None else [entry_id]


async def _retract(tx: Transaction, activity: Activity) -> Sequence[int]:
    if activity.actor_id is None:
        raise ValueError("an activity of PicShare itself cannot be retracted")
    entry_id = await notifications.retract(tx, **asdict(activity))
    return [] if entry_id is None else [entry_id]
