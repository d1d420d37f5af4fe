"""The worker "deliver": news in inboxes become deliveries on the channels that users want, and these are sent.

An event is handled as soon as its deliveries are stored. Sending them is not a job of the queue: mail waits for half an
hour, and what is quiet until the morning (`workers.jobs.deliveries.delivery_sending`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from storage.deliveries import DeliveryChannel, first_due
from storage.events import NotificationChanged
from storage.notification_channels import MAILED_AT_ONCE, Audience, Channel
from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.stores.notifications import deliveries, notification_preferences
from storage.stores.notifications.deliveries import NewDelivery
from workers.deliveries.port import NotificationChannel
from workers.handlers import EventHandler, event_origin, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.deliveries.delivery_sending import DeliverySending
from workers.jobs.deliveries.delivery_turns import DeliveryTurns
from workers.jobs.deliveries.digests import Digests
from workers.jobs.deliveries.notification_pushes import NotificationPush
from workers.jobs.deliveries.pushes import open_push_delivery
from workers.jobs.mails.notification_mails import NotificationDigest, NotificationMail

_KINDS = frozenset(NotificationKind)


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "deliver", and let the process send deliveries, too."""
    settings, metrics = context.deliveries, context.delivery_metrics
    digests = Digests(context.db, NotificationDigest(context.db))
    async with open_push_delivery(context) as pushes:
        channels: dict[DeliveryChannel, NotificationChannel] = {DeliveryChannel.EMAIL: NotificationMail(context.db)}
        push = None if pushes is None else NotificationPush(pushes)
        if push is not None:
            channels[DeliveryChannel.PUSH] = push
        turns = DeliveryTurns(context.db, channels, digests, metrics, summaries=push, limits=settings.limits)
        sending = DeliverySending(context.db, turns, metrics, in_flight=settings.in_flight)
        context.services["deliveries"] = sending.run
        yield DeliverHandlers(context.db, channels, mail_delay=settings.mail_delay, notify=sending.notify).handlers()


class DeliverHandlers:
    """Handlers of the queue "deliver"; `notify` is called when deliveries were stored."""

    def __init__(
        self,
        db: Database,
        channels: Mapping[DeliveryChannel, NotificationChannel],
        *,
        mail_delay: timedelta,
        notify: Callable[[], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._db = db
        self._channels = channels
        self._delays = {DeliveryChannel.PUSH: timedelta(), DeliveryChannel.EMAIL: mail_delay}
        self._notify = notify
        self._clock = clock

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return on(NotificationChanged, self.changed)

    async def changed(self, event: NotificationChanged) -> None:
        """Store the deliveries of an entry with news, on the channels that reach the user and that the user wants.

        Whether the user follows one of the actors is found out when a delivery is due, with all else that may change.
        """
        # An event of a later version may be about a kind that this one does not know.
        if event.kind not in _KINDS:
            return
        kind = NotificationKind(event.kind)
        # Without a lock, so that the likes of a popular photo cost little. A delivery that is being sent while another
        # like arrives counts as both.
        waiting = await deliveries.waiting_channels(self._db, event.user_id, event.notification_id)
        reached = [
            each
            for each, channel in self._channels.items()
            if each not in waiting and await channel.reaches(event.user_id)
        ]
        if not reached:
            return
        chosen = await notification_preferences.preferences(self._db, event.user_id)
        wanted = [
            each
            for each in reached
            if chosen.audience(kind, Channel(each.value)) is not Audience.NOBODY
            and not (each is DeliveryChannel.EMAIL and kind in MAILED_AT_ONCE)
        ]
        if wanted:
            await self._store(event, kind, wanted)

    async def _store(self, event: NotificationChanged, kind: NotificationKind, channels: list[DeliveryChannel]) -> None:
        schedule, now = await notification_preferences.schedule(self._db, event.user_id), self._clock()
        since = event_origin().due_at
        async with self._db.transaction() as tx:
            for channel in channels:
                due_at = first_due(now, kind, schedule.quiet, delay=self._delays[channel])
                delivery = NewDelivery(
                    channel=channel,
                    notification_id=event.notification_id,
                    kind=event.kind,
                    group=event.group,
                    due_at=due_at,
                )
                await deliveries.add(tx, event.user_id, delivery, since=since)
        self._notify()
