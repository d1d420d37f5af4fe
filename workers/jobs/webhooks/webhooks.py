"""The worker "webhooks": events become deliveries to the endpoints that receive them, and the deliveries are sent.

An event is handled as soon as its deliveries are stored. Sending them is not a job of the queue: it may take days
(`workers.jobs.webhooks.webhook_sending`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from storage.events import (
    CommentAdded,
    LikeAdded,
    PhotoDeferred,
    PhotoDeleted,
    PhotoHeld,
    PhotoImported,
    PhotoReady,
    PhotoRejected,
    PhotoUploaded,
    UserFollowed,
    VideoUploaded,
    WebhookNoticed,
)
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.stores.webhooks import webhook_deliveries
from storage.stores.webhooks.webhook_deliveries import Watcher
from storage.webhooks import WebhookEvent
from workers.handlers import EventHandler, event_origin, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.jobs.moderation.photo_verdicts import PhotoVerdicts
from workers.jobs.moderation.review_payloads import ReviewPayloads
from workers.jobs.webhooks.webhook_payloads import PayloadBuilder
from workers.jobs.webhooks.webhook_sending import WebhookSending
from workers.outbound.client import OutboundClient
from workers.webhooks.sending import OutboundSender

WATCHERS_TTL = 1.0  # seconds for which the endpoints over everything are kept
SETTLE = timedelta(seconds=1)  # after which no earlier event of the same subject is expected


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "webhooks", and let the process send deliveries, too."""
    settings = context.webhooks
    client = OutboundClient(
        settings.policy, name="webhooks", metrics=context.outbound_metrics, concurrency=2 * settings.in_flight
    )
    async with client:
        sending = WebhookSending(
            context.db,
            OutboundSender(client),
            PayloadBuilder(context.db, public_url=settings.public_url, reviews=_reviews(context)),
            context.publisher,
            context.webhook_metrics,
            in_flight=settings.in_flight,
            verdicts=_verdicts(context),
        )
        context.services["webhook sending"] = sending.run
        inbox = Inbox(context.db, context.notification_log, metrics=context.inbox_metrics)
        yield WebhookHandlers(context.db, inbox, notify=sending.notify).handlers()


def _reviews(context: WorkerContext) -> ReviewPayloads:
    return ReviewPayloads(
        context.db,
        public_url=context.webhooks.public_url,
        variants=context.variants,
        sign=context.sign,
        tokens=context.verdict_tokens,
    )


def _verdicts(context: WorkerContext) -> PhotoVerdicts:
    permissions = LivePermissions(context.db, context.publisher)
    decisions = PhotoDecisions(context.db, context.cards, permissions, metrics=context.moderation_metrics)
    return PhotoVerdicts(context.db, decisions)


class WebhookHandlers:
    """Handlers of the queue "webhooks"; `notify` is called when deliveries were stored."""

    def __init__(
        self, db: Database, inbox: Inbox, *, notify: Callable[[], None], watchers_ttl: float = WATCHERS_TTL
    ) -> None:
        self._db = db
        self._inbox = inbox
        self._notify = notify
        self._watchers_ttl = watchers_ttl
        self._watchers: Sequence[Watcher] = ()
        self._watchers_until = 0.0

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(PhotoUploaded, self.photo_uploaded),
            **on(PhotoDeferred, self.photo_uploaded),
            **on(VideoUploaded, self.photo_uploaded),
            **on(PhotoHeld, self.photo_held),
            **on(PhotoReady, self.photo_changed),
            **on(PhotoImported, self.photo_held),
            **on(PhotoRejected, self.photo_changed),
            **on(PhotoDeleted, self.photo_changed),
            **on(LikeAdded, self.liked),
            **on(CommentAdded, self.commented),
            **on(UserFollowed, self.followed),
            **on(WebhookNoticed, self.noticed),
        }

    async def photo_changed(self, event: PhotoReady | PhotoRejected | PhotoDeleted) -> None:
        """Store the deliveries of an event of a photo."""
        await self._store(
            event.topic, event.photo_id, event.author_id, {"photo_id": event.photo_id, "author_id": event.author_id}
        )

    async def photo_uploaded(self, event: PhotoUploaded | PhotoDeferred | VideoUploaded) -> None:
        """Store the deliveries of a posted photo, to the endpoints that decide about photos."""
        await self._store_for_moderation("photo.uploaded", event.photo_id, event.author_id)

    async def photo_held(self, event: PhotoHeld | PhotoImported) -> None:
        """Store the deliveries of a photo that is held or imported, to the endpoints that decide about photos.

        Others would get thousands of messages about imported photos of former years.
        """
        await self._store_for_moderation("photo.ready", event.photo_id, event.author_id)

    async def liked(self, event: LikeAdded) -> None:
        """Store the deliveries of a like."""
        fields = {"photo_id": event.photo_id, "owner_id": event.owner_id, "user_id": event.user_id}
        await self._store(event.topic, event.photo_id, event.owner_id, fields)

    async def commented(self, event: CommentAdded) -> None:
        """Store the deliveries of a comment; its subject is the photo."""
        fields = {"comment_id": event.comment_id, "photo_id": event.photo_id, "owner_id": event.owner_id}
        await self._store(event.topic, event.photo_id, event.owner_id, fields)

    async def followed(self, event: UserFollowed) -> None:
        """Store the deliveries of a follow; a request is none yet."""
        if not event.requested:
            fields = {"followee_id": event.followee_id, "follower_id": event.follower_id}
            await self._store(event.topic, event.follower_id, event.followee_id, fields)

    async def noticed(self, event: WebhookNoticed) -> None:
        """Notify the owner of an endpoint that it is failing or was disabled."""
        kind = NotificationKind.WEBHOOK_DISABLED if event.disabled else NotificationKind.WEBHOOK_FAILING
        await self._inbox.record(
            Activity(recipient_id=event.owner_id, kind=kind, actor_id=None, source_id=event.endpoint_id)
        )

    async def _store_for_moderation(self, kind: str, photo_id: int, author_id: int) -> None:
        watchers = [each.id for each in await self._over_everything() if each.moderation and each.receives(kind)]
        await self._add(watchers, kind, photo_id, {"photo_id": photo_id, "author_id": author_id})

    async def _store(self, kind: str, subject_id: int, owner_id: int, fields: Mapping[str, int]) -> None:
        endpoints = [
            *await webhook_deliveries.own(self._db, [owner_id], kind),
            *(each.id for each in await self._over_everything() if each.receives(kind)),
        ]
        await self._add(endpoints, kind, subject_id, fields)

    async def _add(self, endpoints: Sequence[int], kind: str, subject_id: int, fields: Mapping[str, int]) -> None:
        if not endpoints:
            return
        origin = event_origin()
        event = WebhookEvent(
            id=UUID(origin.id), type=kind, subject_id=subject_id, fields=fields, occurred_at=origin.due_at
        )
        async with self._db.transaction() as tx:
            await webhook_deliveries.add(tx, endpoints, event, settle=SETTLE)
        # Also after a repetition that has added none: the process may have been killed at this place.
        await webhook_deliveries.wake(self._db, endpoints)
        self._notify()

    async def _over_everything(self) -> Sequence[Watcher]:
        """Return the endpoints over everything, as they were within a second.

        On a cluster all shards are asked for them, which would be too much for each event.
        """
        now = time.monotonic()
        if now >= self._watchers_until:
            self._watchers = await webhook_deliveries.watchers(self._db)
            self._watchers_until = now + self._watchers_ttl
        return self._watchers
