"""Removal of what a deleted account has left: from the database, feeds, caches, inboxes and the blob store.

Each event covers one batch, some hundredths of a second of work. A batch is deleted in the database in the transaction
that emits its event, and the handler of the event removes it elsewhere before it deletes the next one. So a job that
was interrupted is continued by the repetition of its event, and an account has one event in the queue, behind those of
others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from storage.blobs.port import Blobs
from storage.events import AccountDeleted, CommentDeleted, LikeRemoved
from storage.ids import shard_of
from storage.postgres.database import Database
from storage.stores.accounts import erasure
from workers.handlers import EventHandler, on
from workers.jobs.feeds.fanout import FanoutHandlers
from workers.jobs.inbox.comments import CommentHandlers
from workers.jobs.inbox.notify import NotifyHandlers
from workers.jobs.media.contents import ContentRemover
from workers.jobs.upkeep.export_removal import remove_archives


class AccountRemoval:
    """Handler of deleted accounts; `limit` is the number of photos, comments or likes in a batch."""

    def __init__(
        self,
        db: Database,
        fanout: FanoutHandlers,
        notify: NotifyHandlers,
        comments: CommentHandlers,
        remover: ContentRemover,
        *,
        blobs: Blobs,
        limit: int = erasure.BATCH,
    ) -> None:
        self._db = db
        self._fanout = fanout
        self._notify = notify
        self._comments = comments
        self._remover = remover
        self._blobs = blobs
        self._limit = limit

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of the topic."""
        return on(AccountDeleted, self.deleted)

    async def deleted(self, event: AccountDeleted) -> None:
        """Remove the event's batch everywhere, and delete the next one in the database."""
        if event.photos and not await self._remove_photos(event):
            return
        for comment_id, photo_id, owner_id in event.comments:
            await self._comments.deleted(
                CommentDeleted(comment_id=comment_id, photo_id=photo_id, owner_id=owner_id, user_id=event.user_id)
            )
        for photo_id, owner_id in event.likes:
            await self._notify.like_changed(LikeRemoved(photo_id=photo_id, owner_id=owner_id, user_id=event.user_id))
        # Before their rows, which name the objects. A job that still makes one finds the account deleted.
        await remove_archives(self._db, self._blobs, event.user_id)
        async with self._db.transaction() as tx:
            await erasure.erase(tx, event.user_id, queued_at=event.queued_at, limit=self._limit)

    async def _remove_photos(self, event: AccountDeleted) -> bool:
        """Remove photos from the feeds of a chunk of followers, at last from inboxes; return whether all is done."""
        ids = list(dict.fromkeys(photo_id for photo_id, _ in event.photos))
        if event.after_id < 0:
            await self._fanout.hide(ids)
            for _, sha256 in event.photos:
                await self._remover.remove(sha256)
        last = await self._fanout.remove_from_chunk(event.user_id, ids, after=(event.after_shard, event.after_id))
        if last is None:
            if not await self._comments.remove_about(ids):
                return True
            following = event  # the next entries about the photos; the last chunk of followers is done again
        else:
            following = replace(event, after_shard=shard_of(last), after_id=last)
        async with self._db.transaction() as tx:
            tx.emit(following)
        return False
