"""Removal of what a user has caused in others' inboxes and below their photos, after a block or with the account.

A suspended account is taken out of inboxes as well, and one whose deletion can be undone; both can return.

Each event covers one batch, and its handler emits the next one until nothing is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from storage.events import (
    ActivitiesWithdrawn,
    ActorRemoved,
    ActorVisibilityChanged,
    CommentDeleted,
    UserBlocked,
)
from storage.postgres.database import Database
from storage.stores import account_lists
from storage.stores.comments import comment_deletion
from storage.stores.notifications import hidden_actors, notification_actors
from storage.stores.social import blocks
from workers.handlers import EventHandler, on
from workers.jobs.inbox.inbox import Inbox

COMMENTS_AT_ONCE = 20
ACTIVITIES_AT_ONCE = 20  # each may be in an inbox of its own


class Withdrawals:
    """Handlers of blocks and of deleted accounts; `publish` handles the deletion of one comment."""

    def __init__(self, db: Database, inbox: Inbox, publish: Callable[[CommentDeleted], Awaitable[None]]) -> None:
        self._db = db
        self._inbox = inbox
        self._publish = publish

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **self.former_handlers(),
            **on(ActivitiesWithdrawn, self.withdrawn),
            **on(ActorVisibilityChanged, self.visibility_changed),
        }

    def former_handlers(self) -> Mapping[str, EventHandler]:
        """Return the handlers of the topics that were once bound to the queue "notify"."""
        return {**on(UserBlocked, self.blocked), **on(ActorRemoved, self.actor_removed)}

    async def blocked(self, event: UserBlocked) -> None:
        """Empty the inboxes of two users of each other, and delete their comments below each other's photos."""
        for owner_id, actor_id in ((event.blocker_id, event.blocked_id), (event.blocked_id, event.blocker_id)):
            await self.withdrawn(ActivitiesWithdrawn(owner_id=owner_id, actor_id=actor_id))

    async def withdrawn(self, event: ActivitiesWithdrawn) -> None:
        """Publish the last batch, and remove the next one. If the block is over by now, everything else stays."""
        for comment_id, photo_id in event.comments:
            await self._publish(
                CommentDeleted(
                    comment_id=comment_id, photo_id=photo_id, owner_id=event.owner_id, user_id=event.actor_id
                )
            )
        if not await blocks.blocked(self._db, event.owner_id, event.actor_id):
            return
        found = await notification_actors.entries_of(
            self._db, event.actor_id, recipient_id=event.owner_id, limit=ACTIVITIES_AT_ONCE
        )
        await self._retract(event.actor_id, found)
        async with self._db.transaction() as tx:
            deleted = await comment_deletion.delete_some(
                tx, author_id=event.actor_id, owner_id=event.owner_id, limit=COMMENTS_AT_ONCE
            )
            if found or deleted:
                batch = [(comment_id, photo_id) for comment_id, photo_id, _ in deleted]
                tx.emit(ActivitiesWithdrawn(owner_id=event.owner_id, actor_id=event.actor_id, comments=batch))

    async def actor_removed(self, event: ActorRemoved) -> None:
        """Remove a batch of a deleted account's activities from inboxes; emit the event again until none is left."""
        found = await notification_actors.entries_of(self._db, event.user_id, limit=ACTIVITIES_AT_ONCE)
        await self._retract(event.user_id, found)
        if found:
            async with self._db.transaction() as tx:
                tx.emit(event)

    async def visibility_changed(self, event: ActorVisibilityChanged) -> None:
        """Hide the next activities of an account that is hidden by now, or show them; emit the event of the others."""
        after = (event.after_source, event.after_entry)
        while True:
            shown = await self._is_shown(event.user_id)
            found = await hidden_actors.activities(self._db, event.user_id, after=after, limit=ACTIVITIES_AT_ONCE)
            for recipient_id in sorted({placed.activity.recipient_id for placed in found}):
                here = [placed for placed in found if placed.activity.recipient_id == recipient_id]
                await self._inbox.align_actor(recipient_id, here, shown=shown)
            # Another event about the account may have been handled meanwhile, with the opposite result.
            if await self._is_shown(event.user_id) == shown:
                break
        if len(found) == ACTIVITIES_AT_ONCE:
            last = found[-1]
            async with self._db.transaction() as tx:
                tx.emit(replace(event, after_source=last.activity.source_id, after_entry=last.entry_id))

    async def _is_shown(self, user_id: int) -> bool:
        return not await account_lists.hidden(self._db, [user_id], viewer_id=None)

    async def _retract(self, actor_id: int, entries: Mapping[int, Sequence[int]]) -> None:
        """Remove a user's activities from entries, given by recipient."""
        for recipient_id, entry_ids in entries.items():
            await self._inbox.retract_actor(recipient_id, actor_id, entry_ids)
