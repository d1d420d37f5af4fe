"""Notifications in PostgreSQL and on their owner's live stream, kept in the same order.

The inbox is changed in a transaction, and the result is published after its commit; both happen under the inbox's lock.
So what is published is committed, and of two changes at the same moment, in whatever processes, the one published last
includes both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

import structlog

from channels.bus import envelope
from storage.errors import UnavailableError
from storage.feeds.notification_log import NotificationLog
from storage.models import Notification, NotificationCounters, NotificationKind, NotificationMark
from storage.postgres.database import Database, Queryable, Transaction
from storage.stores import notifications
from storage.stores.notifications import Recorded
from workers.jobs import publications

log = structlog.get_logger(__name__)

# A change of an inbox; it returns the entries to publish.
Change = Callable[[Transaction], Awaitable[Sequence[Recorded]]]

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

    async def retract(
        self, activity: Activity, *, unless: Callable[[Queryable], Awaitable[bool]] | None = None
    ) -> None:
        """Remove an activity and publish what is left of its entry, or that the entry is gone.

        Where `unless` holds nothing changes; it is evaluated under the inbox's lock.
        """

        async def change(tx: Transaction) -> Sequence[Recorded]:
            return [] if unless is not None and await unless(tx) else await _retract(tx, activity)

        await self._change(activity, change)

    async def reconcile(self, activity: Activity, holds: Callable[[Queryable], Awaitable[bool]]) -> None:
        """Record the activity if it `holds` now, else retract it."""

        async def change(tx: Transaction) -> Sequence[Recorded]:
            # Events of one like that is given and removed at once may be handled at the same time in any order. Each
            # handler looks under the lock, and after the change that caused its event: so the last handler sees them
            # all. `holds` uses this transaction, because a second connection could not be had from a pool whose
            # connections all wait for the lock.
            return await (_record(tx, activity) if await holds(tx) else _retract(tx, activity))

        await self._change(activity, change)

    async def retract_actor(self, recipient_id: int, actor_id: int) -> None:
        """Remove all activities of a user from an inbox, and publish what is left of each entry."""

        async def change(tx: Transaction) -> Sequence[Recorded]:
            changed = await notifications.retract_actor(tx, recipient_id=recipient_id, actor_id=actor_id, limit=_BATCH)
            return [Recorded(entry_id, repeated=False) for entry_id in changed]

        while await self._change_and_publish(recipient_id, change):
            pass

    async def mark(
        self, user_id: int, mark: NotificationMark, entry_ids: Sequence[int] | None, up_to: int | None
    ) -> None:
        """Mark the user's entries with these ids (all with None) and positions up to `up_to`; publish the change."""
        change = notifications.mark_read if mark is NotificationMark.READ else notifications.mark_seen
        async with self._db.locked(user_id) as connection:
            async with connection.transaction() as tx:
                if not await change(tx, user_id, entry_ids, up_to=up_to):
                    return
                if entry_ids is None and up_to is None:
                    up_to = await notifications.newest_position(tx, user_id)
                counters = await notifications.counters(tx, user_id)
            document = publications.notifications_marked(mark, counters, entry_ids=entry_ids, up_to=up_to)
            try:
                await self._log.push_mark(user_id, mark, _body(document))
            except UnavailableError as error:
                # The marks are committed, so the call succeeds; other devices see them when they read the inbox again.
                log.warning("mark_not_published", error=str(error))

    async def publish(self, recipient_id: int, entry_id: int) -> None:
        """Publish an entry as it is now, or that it is gone."""

        async def unchanged(_: Transaction) -> Sequence[Recorded]:
            return [Recorded(entry_id, repeated=False)]

        await self._change_and_publish(recipient_id, unchanged)

    async def _change(self, activity: Activity, change: Change) -> None:
        # Users are not notified of their own activities.
        if activity.actor_id != activity.recipient_id:
            await self._change_and_publish(activity.recipient_id, change)

    async def _change_and_publish(self, recipient_id: int, change: Change) -> int:
        """Run `change` and publish the entries that it returns; return their number."""
        # A lock of the transaction would end with its commit, and of two handlers the one that committed first could
        # publish last.
        async with self._db.locked(recipient_id) as connection:
            async with connection.transaction() as tx:
                # Read before the commit, which saves a round trip: under the lock nothing else changes the inbox.
                changes = [
                    (item, *await notifications.entry_and_counters(tx, recipient_id, item.entry_id))
                    for item in await change(tx)
                ]
            # A handler that dies before this line is repeated: it finds the activity recorded, and publishes then.
            for item, entry, counters in changes:
                await self._publish(recipient_id, item, entry, counters)
        return len(changes)

    async def _publish(
        self, recipient_id: int, item: Recorded, entry: Notification | None, counters: NotificationCounters
    ) -> None:
        if entry is None:
            document = publications.notification_removed(item.entry_id, counters)
        else:
            if item.repeated and await self._log.push_once(
                recipient_id, item.entry_id, _body(publications.notification_new(entry, counters))
            ):
                return
            # An activity that is recorded and published already is no news, whatever its event is.
            news = not entry.silent and not item.repeated
            document = (publications.notification_new if news else publications.notification_changed)(entry, counters)
        await self._log.push(recipient_id, item.entry_id, _body(document))


def _body(document: bytes) -> bytes:
    return envelope.stream_body(publications.NOTIFICATIONS, document)


async def _record(tx: Transaction, activity: Activity) -> Sequence[Recorded]:
    recorded = await notifications.record(tx, **asdict(activity))
    return [] if recorded is None else [recorded]


async def _retract(tx: Transaction, activity: Activity) -> Sequence[Recorded]:
    if activity.actor_id is None:
        raise ValueError("an activity of PicShare itself cannot be retracted")
    entry_id = await notifications.retract(tx, **asdict(activity))
    return [] if entry_id is None else [Recorded(entry_id, repeated=False)]
