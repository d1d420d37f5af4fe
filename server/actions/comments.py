"""Write, edit, delete, like and pin comments."""

from __future__ import annotations

from functools import partial

from server.actions.counter_updates import update_cache
from storage.cache.counters import CounterCache
from storage.models import Comment, CommentLike
from storage.postgres.database import Database, Transaction
from storage.postgres.keyed_limit import KeyedLimit
from storage.stores.comments import comment_deletion, comment_likes, comment_pins, comments

COMMENT_QUOTA = "writes"
COMMENT_LIKE_QUOTA = "likes"


class CommentActions:
    """Comments and replies; the counters that feeds show follow each change at once.

    All methods raise `NotFoundError("comment")` for a comment that the viewer may not see or change.
    """

    def __init__(self, db: Database, counter_cache: CounterCache) -> None:
        self._db = db
        self._counter_cache = counter_cache
        self._likes = KeyedLimit()

    async def add(
        self, tx: Transaction, viewer_id: int, photo_id: int, text: str, *, reply_to: int | None = None
    ) -> Comment:
        """Comment on a photo, or reply to a comment on it. Raises also `NotFoundError("photo")`."""
        comment, counters = await comments.add(tx, photo_id=photo_id, author_id=viewer_id, text=text, reply_to=reply_to)
        tx.on_commit(partial(update_cache, self._counter_cache, counters))
        return comment

    async def edit(self, viewer_id: int, comment_id: int, text: str) -> Comment:
        """Change the text of the viewer's own comment."""
        async with self._db.transaction() as tx:
            return await comments.edit(tx, comment_id, author_id=viewer_id, text=text)

    async def delete(self, viewer_id: int, comment_id: int) -> None:
        """Delete a comment by the viewer or on a photo of the viewer's, with its replies."""
        async with self._db.transaction() as tx:
            counters = await comment_deletion.delete(tx, comment_id, user_id=viewer_id)
            tx.on_commit(partial(update_cache, self._counter_cache, counters))

    async def like(self, viewer_id: int, comment_id: int) -> CommentLike:
        """Like a comment; liking it again changes nothing."""
        async with self._likes.slot(comment_id), self._db.transaction() as tx:
            return await comment_likes.add(tx, comment_id=comment_id, user_id=viewer_id)

    async def unlike(self, viewer_id: int, comment_id: int) -> CommentLike:
        """Remove the viewer's like, if there is one."""
        async with self._likes.slot(comment_id), self._db.transaction() as tx:
            return await comment_likes.remove(tx, comment_id=comment_id, user_id=viewer_id)

    async def pin(self, viewer_id: int, comment_id: int) -> None:
        """Pin a comment on a photo of the viewer's; raises also `ConflictError`."""
        async with self._db.transaction() as tx:
            await comment_pins.pin(tx, comment_id, owner_id=viewer_id)

    async def unpin(self, viewer_id: int, comment_id: int) -> None:
        """Unpin a comment on a photo of the viewer's, if it is pinned."""
        async with self._db.transaction() as tx:
            await comment_pins.unpin(tx, comment_id, owner_id=viewer_id)
