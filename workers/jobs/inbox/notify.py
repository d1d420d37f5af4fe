"""Notifications of likes, follows and rejected photos; those of comments are in `workers.jobs.inbox.comments`.

Each handler does up to three things at once: it updates the counters in Redis, publishes on the photo's topic, and
reconciles the recipient's inbox with the database as it is at that moment. So repeated and overtaken events leave the
inbox right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from channels.bus.publisher import LivePublisher
from storage.cache.counters import CounterCache
from storage.events import (
    LikeAdded,
    LikeRemoved,
    PhotoDeleted,
    PhotoHidden,
    PhotoMarked,
    PhotoReady,
    PhotoRejected,
    PhotoRestored,
    SecurityNoticed,
    UserFollowed,
    UserUnfollowed,
)
from storage.models import PhotoState
from storage.notifications import Activity, NotificationKind, SecurityEvent, SecurityNotice
from storage.postgres.database import Database
from storage.stores.photos import photos
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.inbox import photo_counters
from workers.jobs.inbox.bells import BellHandlers
from workers.jobs.inbox.comments import CommentHandlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.moderation_notices import ModerationNotices
from workers.jobs.inbox.withdrawals import Withdrawals
from workers.jobs.live import publications


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "notify"."""
    inbox = Inbox(context.db, context.notification_log, metrics=context.inbox_metrics)
    notify = NotifyHandlers(context.db, inbox, context.counter_cache, context.publisher)
    comments = CommentHandlers(context.db, inbox, context.counter_cache, context.publisher)
    withdrawals = Withdrawals(context.db, inbox, comments.deleted)
    notices = ModerationNotices(context.db, inbox)
    bells = BellHandlers(context.db, inbox)
    yield {**notify_handlers(notify, comments, bells), **notices.handlers(), **withdrawals.former_handlers()}


def notify_handlers(notify: NotifyHandlers, comments: CommentHandlers, bells: BellHandlers) -> Handlers:
    """Return the handlers of the queue; what happens to a photo concerns several of them."""

    async def ready(event: PhotoReady) -> None:
        await comments.photo_ready(event)
        await bells.shown(event)

    async def hidden(event: PhotoHidden) -> None:
        await notify.moderated(event)
        await comments.photo_ready(event)
        await bells.hidden(event)

    async def restored(event: PhotoRestored) -> None:
        await notify.moderated(event)
        await comments.photo_ready(event)
        await bells.shown(event)

    return {
        **notify.handlers(),
        **comments.handlers(),
        **on(PhotoReady, ready),
        **on(PhotoHidden, hidden),
        **on(PhotoRestored, restored),
    }


class NotifyHandlers:
    """Handlers of the queue "notify"."""

    def __init__(self, db: Database, inbox: Inbox, counter_cache: CounterCache, publisher: LivePublisher) -> None:
        self._db = db
        self._inbox = inbox
        self._counter_cache = counter_cache
        self._publisher = publisher

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(LikeAdded, self.like_changed),
            **on(LikeRemoved, self.like_changed),
            **on(UserFollowed, self.followed),
            **on(UserUnfollowed, self.unfollowed),
            **on(PhotoRejected, self.rejected),
            **on(PhotoDeleted, self.deleted),
            **on(PhotoMarked, self.moderated),
            **on(SecurityNoticed, self.security_noticed),
        }

    async def like_changed(self, event: LikeAdded | LikeRemoved) -> None:
        """Publish the counters, and record or retract the like in the owner's inbox, whichever is right by now."""
        activity = Activity(
            recipient_id=event.owner_id,
            kind=NotificationKind.LIKE,
            actor_id=event.user_id,
            photo_id=event.photo_id,
            source_id=event.photo_id,
        )
        # The inbox reads the like and the photo itself, under its lock; neither waits for the other.
        await asyncio.gather(self._inbox.reconcile(activity), self._counters_changed(event))

    async def followed(self, event: UserFollowed) -> None:
        """Record a new follower, a request to follow, or for the follower that the request was accepted."""
        await self._request_changed(event)
        if event.accepted:
            # The followee has just decided about the follower and needs no notification.
            await self._inbox.reconcile(_accepted(event))
        elif not event.requested:
            await self._inbox.reconcile(_follow(event, NotificationKind.FOLLOW))

    async def unfollowed(self, event: UserUnfollowed) -> None:
        """Retract a follow or a request, in the inboxes of both users, unless there is another one by now."""
        await self._request_changed(event)
        await self._inbox.withdraw(_follow(event, NotificationKind.FOLLOW))
        await self._inbox.withdraw(_accepted(event))

    async def rejected(self, event: PhotoRejected) -> None:
        """Record that a photo was rejected, and why."""
        photo = (await photos.load(self._db, [event.photo_id])).get(event.photo_id)
        if photo is not None and photo.state is PhotoState.REJECTED:
            activity = Activity(
                recipient_id=photo.author.id,
                kind=NotificationKind.PHOTO_REJECTED,
                actor_id=None,
                photo_id=photo.id,
                source_id=photo.id,
            )
            await self._inbox.record(activity)

    async def deleted(self, event: PhotoDeleted) -> None:
        """Publish the removal of the notifications that were deleted with a photo."""
        # One after the other: each publication carries the counters of the inbox, and the last must be the newest.
        for entry_id in event.notifications:
            await self._inbox.publish(event.author_id, entry_id)

    async def moderated(self, event: PhotoHidden | PhotoRestored | PhotoMarked) -> None:
        """Notify the author of the decision that hides the photo or marks it, or remove that notification."""
        activity = Activity(
            recipient_id=event.author_id,
            kind=NotificationKind.MODERATION,
            actor_id=None,
            photo_id=event.photo_id,
            source_id=event.photo_id,
        )
        await self._inbox.reconcile(activity)

    async def security_noticed(self, event: SecurityNoticed) -> None:
        """Notify a user of what happened to the own account."""
        activity = Activity(
            recipient_id=event.user_id,
            kind=NotificationKind.SECURITY,
            actor_id=None,
            source_id=event.notice_id,
            security=SecurityNotice(event=SecurityEvent(event.event), device=event.device),
        )
        await self._inbox.record(activity)

    async def _request_changed(self, event: UserFollowed | UserUnfollowed) -> None:
        """Record a request to follow, or retract it once it is accepted, declined or withdrawn."""
        await self._inbox.reconcile(_follow(event, NotificationKind.FOLLOW_REQUEST))

    async def _counters_changed(self, event: LikeAdded | LikeRemoved) -> None:
        """Store and publish the counters of a photo, unless it is deleted."""
        counters = await photo_counters.read(self._db, event.photo_id, event.user_id)
        if counters is None:
            return
        document = publications.photo_liked(counters) if counters.liked else publications.photo_unliked(counters)
        await asyncio.gather(
            photo_counters.apply(
                self._db, self._counter_cache, counters, owner_id=event.owner_id, liked_by=event.user_id
            ),
            self._publish(event, document),
        )

    async def _publish(self, event: LikeAdded | LikeRemoved, document: bytes) -> None:
        # A photo's topic is read by everyone who may see the photo. The author is named, so that a publication does
        # not reach users that a block separates from its author, which the photo's owner does not show.
        topic = publications.photo_topic(event.photo_id)
        await self._publisher.to_topic(topic, document, author_ids=[event.user_id])


def _follow(event: UserFollowed | UserUnfollowed, kind: NotificationKind) -> Activity:
    return Activity(recipient_id=event.followee_id, kind=kind, actor_id=event.follower_id, source_id=event.follower_id)


def _accepted(event: UserFollowed | UserUnfollowed) -> Activity:
    return Activity(
        recipient_id=event.follower_id,
        kind=NotificationKind.FOLLOW_ACCEPTED,
        actor_id=event.followee_id,
        source_id=event.followee_id,
    )
