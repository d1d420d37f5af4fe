"""Notifications of likes, comments, follows and rejected photos.

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
from storage.errors import NotFoundError
from storage.events import (
    ActivitiesWithdrawn,
    CommentAdded,
    CommentDeleted,
    LikeAdded,
    LikeRemoved,
    PhotoDeleted,
    PhotoRejected,
    UserFollowed,
    UserUnfollowed,
)
from storage.feeds.notification_log import NotificationLog
from storage.models import Activity, NotificationKind, PhotoCounters, PhotoState
from storage.postgres.database import Database
from storage.render.comment import comment_json
from storage.stores import blocks, comments, likes, photos
from workers.handlers import EventHandler, on
from workers.jobs import publications
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.inbox import Inbox
from workers.jobs.withdrawals import Withdrawals


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "notify"."""
    notify = NotifyHandlers(context.db, context.notification_log, context.counter_cache, context.publisher)
    withdrawals = Withdrawals(context.db, Inbox(context.db, context.notification_log), notify.comment_deleted)
    yield {**notify.handlers(), **withdrawals.former_handlers()}


class NotifyHandlers:
    """Handlers of the queue "notify"."""

    def __init__(
        self, db: Database, notification_log: NotificationLog, counter_cache: CounterCache, publisher: LivePublisher
    ) -> None:
        self._db = db
        self._inbox = Inbox(db, notification_log)
        self._counter_cache = counter_cache
        self._publisher = publisher

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(LikeAdded, self.like_changed),
            **on(LikeRemoved, self.like_changed),
            **on(CommentAdded, self.commented),
            **on(CommentDeleted, self.comment_deleted),
            **on(UserFollowed, self.followed),
            **on(UserUnfollowed, self.unfollowed),
            **on(PhotoRejected, self.rejected),
            **on(PhotoDeleted, self.deleted),
        }

    async def like_changed(self, event: LikeAdded | LikeRemoved) -> None:
        """Publish the counters, and record or retract the like in the owner's inbox, whichever is right by now."""
        counters = await self._photo_counters(event.photo_id, event.user_id)
        if counters is None:
            return
        activity = Activity(
            recipient_id=event.owner_id,
            kind=NotificationKind.LIKE,
            actor_id=event.user_id,
            photo_id=event.photo_id,
            source_id=event.photo_id,
        )
        document = publications.photo_liked(counters) if counters.liked else publications.photo_unliked(counters)
        # The inbox reads the like again, under its lock; the counters and the topic need not wait for that lock.
        await asyncio.gather(
            self._inbox.reconcile(activity),
            self._counter_cache.apply(counters, event.user_id),
            self._publish(event, document),
        )

    async def commented(self, event: CommentAdded) -> None:
        """Publish a comment and record it in the owner's inbox, unless it is deleted by now.

        A comment that was written while either user blocked the other is deleted.
        """
        # The handler of the block deletes what was committed before the block; what is committed later is found here.
        if await blocks.blocked(self._db, event.owner_id, event.user_id):
            async with self._db.transaction() as tx:
                tx.emit(ActivitiesWithdrawn(owner_id=event.owner_id, actor_id=event.user_id))
            return
        counters = await self._photo_counters(event.photo_id, event.user_id)
        try:
            comment = await comments.get(self._db, event.comment_id)
        except NotFoundError:
            return
        if counters is None:
            return
        document = publications.photo_commented(counters, comment_json(comment))
        await asyncio.gather(
            self._inbox.reconcile(_comment(event)),
            self._counter_cache.apply(counters, None),
            self._publish(event, document),
        )

    async def comment_deleted(self, event: CommentDeleted) -> None:
        """Publish the deletion of a comment and retract it from the owner's inbox."""
        counters = await self._photo_counters(event.photo_id, event.user_id)
        if counters is None:
            return
        document = publications.comment_deleted(counters, event.comment_id)
        await asyncio.gather(
            self._inbox.withdraw(_comment(event)),
            self._counter_cache.apply(counters, None),
            self._publish(event, document),
        )

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

    async def _request_changed(self, event: UserFollowed | UserUnfollowed) -> None:
        """Record a request to follow, or retract it once it is accepted, declined or withdrawn."""
        await self._inbox.reconcile(_follow(event, NotificationKind.FOLLOW_REQUEST))

    async def _publish(self, event: LikeAdded | LikeRemoved | CommentAdded | CommentDeleted, document: bytes) -> None:
        # A photo's topic is read by everyone who may see the photo. The author is named, so that a publication does
        # not reach users that a block separates from its author, which the photo's owner does not show.
        topic = publications.photo_topic(event.photo_id)
        await self._publisher.to_topic(topic, document, author_id=event.user_id)

    async def _photo_counters(self, photo_id: int, user_id: int) -> PhotoCounters | None:
        """Return a photo's counters and whether the user likes it, or None once it is deleted."""
        try:
            return await likes.state(self._db, photo_id=photo_id, user_id=user_id)
        except NotFoundError:
            return None


def _comment(event: CommentAdded | CommentDeleted) -> Activity:
    return Activity(
        recipient_id=event.owner_id,
        kind=NotificationKind.COMMENT,
        actor_id=event.user_id,
        photo_id=event.photo_id,
        source_id=event.comment_id,
    )


def _follow(event: UserFollowed | UserUnfollowed, kind: NotificationKind) -> Activity:
    return Activity(recipient_id=event.followee_id, kind=kind, actor_id=event.follower_id, source_id=event.follower_id)


def _accepted(event: UserFollowed | UserUnfollowed) -> Activity:
    return Activity(
        recipient_id=event.follower_id,
        kind=NotificationKind.FOLLOW_ACCEPTED,
        actor_id=event.followee_id,
        source_id=event.followee_id,
    )
