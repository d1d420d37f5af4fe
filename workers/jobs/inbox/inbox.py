"""Notifications in PostgreSQL and on their owner's live stream, kept in the same order.

The inbox is changed in a transaction, and the result is published after its commit; both happen under the inbox's lock.
So what is published is committed, and of two changes at the same moment, in whatever processes, the one published last
includes both.

Of the changes that wait for an inbox in this process, one task carries out all in one transaction and publishes each
entry once. If several wait already, a further activity is stored for them
(`storage.stores.notifications.waiting_activities`): its handler ends at once, so the handlers of a busy inbox leave the
worker free for other ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import structlog

from channels.bus import envelope
from channels.contract.causes import Stage, current_cause, reached
from storage.errors import UnavailableError
from storage.feeds.notification_log import NotificationLog
from storage.notifications import Activity, Notification, NotificationCounters
from storage.postgres.database import Database, Transaction
from storage.postgres.rows import Row
from storage.stores import inbox_lock
from storage.stores.notifications import (
    hidden_actors,
    notification_actors,
    notification_groups,
    notification_removal,
    notifications,
    waiting_activities,
)
from storage.stores.notifications.hidden_actors import Placed
from storage.stores.notifications.notification_groups import Recorded
from storage.stores.notifications.notification_lookup import Situation, look_up
from workers.jobs.inbox.activities import Operation, waiting_activity
from workers.jobs.inbox.turns import GAP, Turns
from workers.jobs.live import publications
from workers.jobs.metrics import InboxMetrics, NoInboxMetrics

log = structlog.get_logger(__name__)

# A change of an inbox; it returns the entries to publish.
Change = Callable[[Transaction], Awaitable[Sequence[Recorded]]]

# The situation of an activity in its inbox now, None for a deleted account.
LookUp = Callable[[Transaction, Activity], Awaitable[Situation | None]]

_BATCH = 20  # entries or activities that are changed under one lock; other processes wait meanwhile
_MAX_WAITING = 4  # changes that wait for one inbox in this process before activities are stored for them


class Inbox:
    """Records and retracts activities, and publishes each change; every method can be repeated.

    `look` is how activities are compared with the database, under the inbox's lock.
    """

    def __init__(
        self, db: Database, log: NotificationLog, *, look: LookUp = look_up, metrics: InboxMetrics | None = None
    ) -> None:
        self._db = db
        self._log = log
        self._look = look
        self._metrics = metrics or NoInboxMetrics()
        self._turns: Turns[Change] = Turns(self._change_and_publish, batch=_BATCH, shared=(UnavailableError,))
        self._behind: set[int] = set()  # inboxes for which the last change has found stored activities
        self._catching_up: set[int] = set()  # inboxes whose stored activities a task is handling

    async def record(self, activity: Activity) -> None:
        """Record an activity and publish its entry, unless the recipient is not to be notified of it."""
        await self._handle(Operation.RECORD, activity)

    async def withdraw(self, activity: Activity) -> None:
        """Retract an activity, unless it holds, and publish what is left of its entry, or that the entry is gone."""
        await self._handle(Operation.WITHDRAW, activity)

    async def reconcile(self, activity: Activity) -> None:
        """Record the activity if it holds now, else retract it."""
        await self._handle(Operation.RECONCILE, activity)

    async def retract_actor(self, recipient_id: int, actor_id: int, entry_ids: Sequence[int]) -> None:
        """Remove a user's activities from entries of an inbox, and publish what is left of each."""
        for start in range(0, len(entry_ids), _BATCH):
            batch = entry_ids[start : start + _BATCH]
            await self._change(recipient_id, partial(_retract_actor, recipient_id, actor_id, batch))

    async def align_actor(self, recipient_id: int, placed: Sequence[Placed], *, shown: bool) -> None:
        """Hide activities of one user in an inbox, or show them again, and publish what has become of their entries."""
        await self._change(recipient_id, partial(_align_actor, recipient_id, placed, shown))

    async def remove(self, recipient_id: int, entry_ids: Sequence[int]) -> None:
        """Delete entries of an inbox, and publish that they are gone."""
        await self._change(recipient_id, partial(_remove, recipient_id, entry_ids))

    async def remove_about(self, recipient_id: int, comment_id: int) -> None:
        """Delete the entries of an inbox about a deleted comment, and publish that they are gone."""
        await self._change(recipient_id, partial(_remove_about, recipient_id, comment_id))

    async def dismiss(self, recipient_id: int, entry_id: int) -> None:
        """Delete an entry for its recipient, and publish that it is gone. Raises `NotFoundError`."""
        await self._change(recipient_id, partial(_dismiss, recipient_id, entry_id))

    async def undo_dismissal(self, recipient_id: int, entry_id: int) -> None:
        """Restore an entry that its recipient has just deleted, and publish it. Raises `NotFoundError`."""
        await self._change(recipient_id, partial(_undo_dismissal, recipient_id, entry_id))

    async def publish(self, recipient_id: int, entry_id: int) -> None:
        """Publish an entry as it is now, or that it is gone."""

        async def unchanged(_: Transaction) -> Sequence[Recorded]:
            return [Recorded(entry_id)]

        await self._change(recipient_id, unchanged)

    async def _handle(self, operation: Operation, activity: Activity) -> None:
        # Users are not notified of their own activities.
        if activity.actor_id == activity.recipient_id:
            return
        if self._turns.waiting(activity.recipient_id) >= _MAX_WAITING and await self._stored(operation, activity):
            return
        await self._change(activity.recipient_id, partial(self._apply, operation, activity))

    async def _stored(self, operation: Operation, activity: Activity) -> bool:
        """Store an activity for the changes that wait for its inbox; return False if all of them have begun by now."""
        async with self._db.transaction() as tx:
            await waiting_activities.add(tx, operation=operation.value, activity=activity)
        # A change that has not begun finds the activity, and its event is repeated until it has found it.
        return self._turns.waiting(activity.recipient_id) > 0

    async def _change(self, recipient_id: int, change: Change) -> None:
        """Carry out a change in its turn, and then the activities that are stored for the inbox, if no task does."""
        await self._turns.take(recipient_id, change)
        if recipient_id in self._behind and recipient_id not in self._catching_up:
            self._catching_up.add(recipient_id)
            try:
                while recipient_id in self._behind:
                    self._behind.remove(recipient_id)
                    if not await self._catch_up(recipient_id):
                        break
                    await asyncio.sleep(GAP)
            finally:
                self._catching_up.remove(recipient_id)

    async def _catch_up(self, recipient_id: int) -> bool:
        """Carry out the first activities that are stored for an inbox, and remove them; return False if one failed."""
        rows = await waiting_activities.first(self._db, recipient_id, limit=_BATCH)
        try:
            await self._turns.take(recipient_id, partial(self._apply_stored, rows))
            done = list(rows)
        except UnavailableError:
            raise
        except Exception:  # noqa: BLE001 - each is tried alone, and the error of the faulty one is logged
            done = [row for row in rows if await self._applied_alone(recipient_id, row)]
        async with self._db.transaction() as tx:
            await waiting_activities.remove(tx, recipient_id, [row["id"] for row in done])
        return len(done) == len(rows)

    async def _applied_alone(self, recipient_id: int, row: Row) -> bool:
        try:
            await self._turns.take(recipient_id, partial(self._apply_stored, [row]))
        except UnavailableError:
            raise
        except Exception:
            # Raised, it would end as the failure of an event that is not at fault. The activity stays, and the next
            # change of the inbox tries again.
            log.exception("stored_activity_failed", activity=row["id"], kind=row["kind"])
            return False
        return True

    async def _apply_stored(self, rows: Sequence[Row], tx: Transaction) -> Sequence[Recorded]:
        # Several events of one activity lead to the same result.
        stored = dict.fromkeys(waiting_activity(row) for row in rows)
        return [item for each in stored for item in await self._apply(*each, tx)]

    async def _apply(self, operation: Operation, activity: Activity, tx: Transaction) -> Sequence[Recorded]:
        if activity.actor_id is None and operation is Operation.WITHDRAW:
            raise ValueError("an activity of PicShare itself is recorded or reconciled")
        # Events of one like that is given and removed at once may be handled at the same time in any order. Each
        # handler looks under the lock, and after the change that caused its event: so the last handler sees them all.
        found = await self._look(tx, activity)
        holds = found is not None and found.holds
        if operation is Operation.WITHDRAW and holds:
            return []
        if operation is Operation.RECORD or holds:
            recorded = await notification_groups.record(tx, activity, found)
            return [] if recorded is None else [recorded]
        entry_id = await notification_groups.retract(tx, activity, found)
        return [] if entry_id is None else [Recorded(entry_id, published=found is None or found.published)]

    async def _change_and_publish(self, recipient_id: int, changes: Sequence[Change]) -> None:
        """Carry out changes in one transaction, and publish each entry that they return once."""
        # A lock of the transaction would end with its commit, and of two handlers the one that committed first could
        # publish last.
        async with inbox_lock.hold(self._db, recipient_id) as lock:
            async with self._db.transaction(lock, repeated=True) as tx:
                recorded = [item for change in changes for item in await change(tx)]
                news = [item.news for item in recorded if item.news is not None]
                for item in recorded:
                    if item.news is not None and item.leaves:
                        tx.emit(item.news)
                changed = _merged(recorded)
                # Read before the commit, which saves a round trip: under the lock nothing else changes the inbox.
                states = [
                    await notifications.inbox_state(tx, recipient_id, item.entry_id, accounts=item.accounts)
                    for item in changed
                ]
                if states[-1].waiting if states else await waiting_activities.waiting(tx, recipient_id):
                    self._behind.add(recipient_id)
            reached(Stage.INSERTED)
            for event in news:
                self._metrics.notified(kind=event.kind)
            # A handler that dies before this line is repeated: it finds the activity recorded, and publishes then.
            for item, state in zip(changed, states, strict=True):
                await self._publish(recipient_id, item, state.entry, state.counters)
                reached(Stage.PUBLISHED)

    async def _publish(
        self, recipient_id: int, item: Recorded, entry: Notification | None, counters: NotificationCounters
    ) -> None:
        if entry is None:
            document = publications.notification_removed(item.entry_id, counters)
        elif not item.published:
            return
        else:
            if item.repeated and await self._log.push_once(
                recipient_id, item.entry_id, _body(publications.notification_new(entry, counters))
            ):
                return
            # An activity that is recorded and published already is no news, whatever its event is.
            document = (publications.notification_new if item.news else publications.notification_changed)(
                entry, counters
            )
        await self._log.push(recipient_id, item.entry_id, _body(document))


def _merged(items: Iterable[Recorded]) -> list[Recorded]:
    """Return one item for each entry, the entry that was changed last at the end.

    It is news if any change was, and repeated if all were.
    """
    merged: dict[int, Recorded] = {}
    for item in items:
        before = merged.pop(item.entry_id, item)
        merged[item.entry_id] = Recorded(
            item.entry_id,
            repeated=before.repeated and item.repeated,
            news=item.news or before.news,
            published=before.published or item.published,
            accounts={**before.accounts, **item.accounts},
        )
    return list(merged.values())


def _body(document: bytes) -> bytes:
    return envelope.stream_body(publications.NOTIFICATIONS, document, current_cause())


async def _retract_actor(
    recipient_id: int, actor_id: int, entry_ids: Sequence[int], tx: Transaction
) -> Sequence[Recorded]:
    changed = await notification_actors.retract_actor(
        tx, recipient_id=recipient_id, actor_id=actor_id, entry_ids=entry_ids
    )
    return [Recorded(entry_id) for entry_id in changed]


async def _remove(recipient_id: int, entry_ids: Sequence[int], tx: Transaction) -> Sequence[Recorded]:
    return [Recorded(entry_id) for entry_id in await notification_removal.entries(tx, recipient_id, entry_ids)]


async def _remove_about(recipient_id: int, comment_id: int, tx: Transaction) -> Sequence[Recorded]:
    return [Recorded(entry_id) for entry_id in await notification_removal.about_comment(tx, recipient_id, comment_id)]


async def _dismiss(recipient_id: int, entry_id: int, tx: Transaction) -> Sequence[Recorded]:
    return [Recorded(entry_id)] if await notification_removal.dismiss(tx, recipient_id, entry_id) else []


async def _undo_dismissal(recipient_id: int, entry_id: int, tx: Transaction) -> Sequence[Recorded]:
    await notification_removal.undo(tx, recipient_id, entry_id)
    return [Recorded(entry_id)]


async def _align_actor(recipient_id: int, placed: Sequence[Placed], shown: bool, tx: Transaction) -> Sequence[Recorded]:
    if shown:
        return [Recorded(each.entry_id) for each in placed if await hidden_actors.show(tx, each)]
    changed: list[int] = []
    for actor_id in sorted({each.activity.actor_id for each in placed if each.activity.actor_id is not None}):
        entry_ids = [each.entry_id for each in placed if each.activity.actor_id == actor_id]
        changed += await hidden_actors.hide(tx, recipient_id, actor_id, entry_ids)
    return [Recorded(entry_id) for entry_id in changed]
