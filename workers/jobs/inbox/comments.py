"""Comments, replies, their likes, edits and pins, and mentions: live publications and notifications.

As in `workers.jobs.inbox.notify`, each handler compares inboxes with the database as it is at that moment, so repeated
and overtaken events leave them right. A user gets one notification of a comment: of a reply to the user, or else of a
comment on the user's photo, or else of a mention.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from channels.bus.publisher import LivePublisher
from storage.cache.counters import CounterCache
from storage.errors import NotFoundError
from storage.events import (
    ActivitiesWithdrawn,
    CommentAdded,
    CommentDeleted,
    CommentEdited,
    CommentLiked,
    CommentPinned,
    CommentUnliked,
    NotificationsOutdated,
    PhotoEdited,
    PhotoHidden,
    PhotoReady,
    PhotoRestored,
    RepliesOrphaned,
)
from storage.models import Comment, CommentState, PhotoCounters
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.render.comment import comment_json
from storage.stores.comments import comment_deletion, comment_likes, comment_threads, comments
from storage.stores.notifications import notification_removal
from storage.stores.social import blocks, mentions
from workers.handlers import EventHandler, on
from workers.jobs.inbox import photo_counters
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.live import publications

ENTRIES_AT_ONCE = 20  # each may be in an inbox of its own


class CommentHandlers:
    """The handlers of comments and mentions: the other half of the queue "notify", and a part of the queue "bulk"."""

    def __init__(self, db: Database, inbox: Inbox, counter_cache: CounterCache, publisher: LivePublisher) -> None:
        self._db = db
        self._inbox = inbox
        self._counter_cache = counter_cache
        self._publisher = publisher

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic of the queue "notify"."""
        return {
            **on(CommentAdded, self.added),
            **on(CommentDeleted, self.deleted),
            **on(CommentEdited, self.edited),
            **on(CommentLiked, self.like_changed),
            **on(CommentUnliked, self.like_changed),
            **on(CommentPinned, self.pinned),
            **on(PhotoReady, self.photo_ready),
            **on(PhotoEdited, self.caption_edited),
        }

    def bulk_handlers(self) -> Mapping[str, EventHandler]:
        """Return the handlers of what is worked off in batches."""
        return {
            **on(RepliesOrphaned, self.replies_orphaned),
            **on(NotificationsOutdated, self.notifications_outdated),
        }

    async def added(self, event: CommentAdded) -> None:
        """Publish a comment and record it in the inboxes of those it concerns, unless it is deleted by now.

        A comment that was written while its author and the photo's owner blocked each other is deleted.
        """
        # The handler of the block deletes what was committed before the block; what is committed later is found here.
        if await blocks.blocked(self._db, event.owner_id, event.user_id):
            async with self._db.transaction() as tx:
                tx.emit(ActivitiesWithdrawn(owner_id=event.owner_id, actor_id=event.user_id))
            return
        counters = await photo_counters.read(self._db, event.photo_id, event.user_id)
        try:
            comment = await comments.get(self._db, event.comment_id)
        except NotFoundError:
            return
        if counters is None:
            return
        document = publications.photo_commented(counters, comment_json(comment), await self._parent(comment))
        await asyncio.gather(
            self._reconcile(activities_of(comment, event.owner_id)),
            self._apply(counters, event.owner_id),
            self._publish(event.photo_id, document, await self._authors(comment)),
        )

    async def deleted(self, event: CommentDeleted) -> None:
        """Publish the deletion of a comment, and remove it from the inboxes of all it concerned."""
        comment = await comments.get_deleted(self._db, event.comment_id)
        if comment is not None:
            await self._remove_notifications(comment, event.owner_id)
        counters = await photo_counters.read(self._db, event.photo_id, event.user_id)
        if counters is None:
            return
        parent, authors = None, [event.user_id]
        if comment is not None:
            parent, authors = await self._parent(comment), await self._authors(comment)
        document = publications.comment_deleted(counters, event.comment_id, parent)
        await asyncio.gather(
            self._apply(counters, event.owner_id),
            self._publish(event.photo_id, document, authors),
        )

    async def edited(self, event: CommentEdited) -> None:
        """Publish an edited comment, and record or retract the mentions that the edit has changed."""
        try:
            comment = await comments.get(self._db, event.comment_id)
        except NotFoundError:
            return
        # Who is notified of the comment itself is not notified of a mention in it.
        informed = {event.owner_id, comment.answered_id}
        changed = (_mention(comment, user_id) for user_id in event.mentions if user_id not in informed)
        document = publications.comment_edited(comment.photo_id, comment_json(comment))
        authors = await self._authors(comment)
        await asyncio.gather(self._reconcile(changed), self._publish(comment.photo_id, document, authors))

    async def like_changed(self, event: CommentLiked | CommentUnliked) -> None:
        """Publish a comment's likes, and record or retract the like in its author's inbox, whichever is right."""
        state = await comments.state(self._db, event.comment_id)
        if state is None:
            return
        liked = await comment_likes.likes_it(self._db, comment_id=event.comment_id, user_id=event.user_id)
        activity = Activity(
            recipient_id=event.author_id,
            kind=NotificationKind.COMMENT_LIKE,
            actor_id=event.user_id,
            photo_id=event.photo_id,
            source_id=event.comment_id,
        )
        document = publications.comment_liked(event.photo_id, state, liked=liked)
        authors = [event.user_id, *await comment_threads.authors(self._db, event.comment_id)]
        await asyncio.gather(self._inbox.reconcile(activity), self._publish(event.photo_id, document, authors))

    async def pinned(self, event: CommentPinned) -> None:
        """Publish that a comment was pinned or unpinned, whichever it is by now."""
        state = await comments.state(self._db, event.comment_id)
        if state is not None:
            document = publications.comment_pinned(event.photo_id, state)
            authors = [event.owner_id, *await comment_threads.authors(self._db, event.comment_id)]
            await self._publish(event.photo_id, document, authors)

    async def photo_ready(self, event: PhotoReady | PhotoRestored | PhotoHidden) -> None:
        """Notify the accounts that the caption mentions; of a photo that is hidden by now, retract that."""
        mentioned = await mentions.in_caption(self._db, event.photo_id)
        await self._reconcile(_in_caption(event, user_id) for user_id in mentioned)

    async def caption_edited(self, event: PhotoEdited) -> None:
        """Record or retract the mentions that an edit of the caption has changed."""
        await self._reconcile(_in_caption(event, user_id) for user_id in event.mentions)

    async def replies_orphaned(self, event: RepliesOrphaned) -> None:
        """Delete the next replies to a deleted comment; each emits `CommentDeleted`, and the batch the next event."""
        async with self._db.transaction() as tx:
            await comment_deletion.delete_orphans(tx, event.comment_id)

    async def notifications_outdated(self, event: NotificationsOutdated) -> None:
        """Remove a batch of entries about a deleted photo from inboxes; emit the event again until none is left."""
        if await self.remove_about([event.photo_id]):
            async with self._db.transaction() as tx:
                tx.emit(event)

    async def remove_about(self, photo_ids: Sequence[int]) -> bool:
        """Remove a batch of entries about deleted photos from inboxes; return whether there were any."""
        found = await notification_removal.about_photos(self._db, photo_ids, limit=ENTRIES_AT_ONCE)
        for recipient_id, entry_ids in found.items():
            await self._inbox.remove(recipient_id, entry_ids)
        return bool(found)

    async def _reconcile(self, activities: Iterable[Activity]) -> None:
        for activity in dict.fromkeys(activities):
            await self._inbox.reconcile(activity)

    async def _remove_notifications(self, comment: Comment, owner_id: int) -> None:
        of_owner = Activity(
            recipient_id=owner_id,
            kind=NotificationKind.COMMENT,
            actor_id=comment.author.id,
            photo_id=comment.photo_id,
            source_id=comment.id,
        )
        await self._inbox.withdraw(of_owner)
        others = {activity.recipient_id for activity in activities_of(comment, owner_id)} - {owner_id}
        if comment.answered_id == owner_id:
            others.add(owner_id)
        if comment.likes:
            others.add(comment.author.id)
        for recipient_id in sorted(others):
            await self._inbox.remove_about(recipient_id, comment.id)

    async def _parent(self, comment: Comment) -> CommentState | None:
        return None if comment.reply_to is None else await comments.state(self._db, comment.reply_to)

    async def _apply(self, counters: PhotoCounters, owner_id: int) -> None:
        await photo_counters.apply(self._db, self._counter_cache, counters, owner_id=owner_id)

    async def _authors(self, comment: Comment) -> list[int]:
        if comment.reply_to is None:
            return [comment.author.id]
        return await comment_threads.authors(self._db, comment.id)

    async def _publish(self, photo_id: int, document: bytes, author_ids: Sequence[int]) -> None:
        # The authors are named, as for likes (`workers.jobs.inbox.notify`). A user who does not see a comment does not
        # see the replies to it either.
        await self._publisher.to_topic(publications.photo_topic(photo_id), document, author_ids=author_ids)


def activities_of(comment: Comment, owner_id: int) -> list[Activity]:
    """Return the activities that a comment is: one for each user it concerns but its author."""
    kinds = {} if comment.answered_id is None else {comment.answered_id: NotificationKind.REPLY}
    kinds.setdefault(owner_id, NotificationKind.COMMENT)
    for mention in comment.mentions:
        kinds.setdefault(mention.user_id, NotificationKind.MENTION)
    return [
        Activity(
            recipient_id=user_id,
            kind=kind,
            actor_id=comment.author.id,
            photo_id=comment.photo_id,
            source_id=comment.id,
        )
        for user_id, kind in kinds.items()
        if user_id != comment.author.id
    ]


def _mention(comment: Comment, user_id: int) -> Activity:
    return Activity(
        recipient_id=user_id,
        kind=NotificationKind.MENTION,
        actor_id=comment.author.id,
        photo_id=comment.photo_id,
        source_id=comment.id,
    )


def _in_caption(event: PhotoReady | PhotoRestored | PhotoHidden | PhotoEdited, user_id: int) -> Activity:
    return Activity(
        recipient_id=user_id,
        kind=NotificationKind.MENTION,
        actor_id=event.author_id,
        photo_id=event.photo_id,
        source_id=event.photo_id,
    )
