"""Like and unlike photos, write and delete comments."""

from __future__ import annotations

from functools import partial

import structlog

from storage.cache.counters import CounterCache
from storage.errors import UnavailableError
from storage.models import Comment, PhotoCounters
from storage.postgres.database import Database, Transaction
from storage.postgres.keyed_limit import KeyedLimit
from storage.stores import comments, likes

LIKE_QUOTA = "likes"
COMMENT_QUOTA = "writes"

log = structlog.get_logger(__name__)


class ReactionActions:
    """Likes and comments; the counters that feeds show follow each change at once."""

    def __init__(self, db: Database, counter_cache: CounterCache) -> None:
        self._db = db
        self._counter_cache = counter_cache
        self._changes = KeyedLimit()

    async def like(self, viewer_id: int, photo_id: int) -> PhotoCounters:
        """Like a photo; liking it again changes nothing. Raises `NotFoundError("photo")`."""
        async with self._changes.slot(photo_id), self._db.transaction() as tx:
            counters = await likes.add(tx, photo_id=photo_id, user_id=viewer_id)
            tx.on_commit(partial(self._update_cache, counters, viewer_id))
        return counters

    async def unlike(self, viewer_id: int, photo_id: int) -> PhotoCounters:
        """Remove the viewer's like, if there is one. Raises `NotFoundError("photo")`."""
        async with self._changes.slot(photo_id), self._db.transaction() as tx:
            counters = await likes.remove(tx, photo_id=photo_id, user_id=viewer_id)
            tx.on_commit(partial(self._update_cache, counters, viewer_id))
        return counters

    async def comment(self, tx: Transaction, viewer_id: int, photo_id: int, text: str) -> Comment:
        """Comment on a photo. Raises `NotFoundError("photo")`."""
        comment, counters = await comments.add(tx, photo_id=photo_id, author_id=viewer_id, text=text)
        tx.on_commit(partial(self._update_cache, counters, None))
        return comment

    async def delete_comment(self, viewer_id: int, comment_id: int) -> None:
        """Delete a comment by the viewer or on a photo of the viewer's. Raises `NotFoundError("comment")`."""
        async with self._db.transaction() as tx:
            counters = await comments.delete(tx, comment_id, user_id=viewer_id)
            tx.on_commit(partial(self._update_cache, counters, None))

    async def _update_cache(self, counters: PhotoCounters, liked_by: int | None) -> None:
        try:
            await self._counter_cache.apply(counters, liked_by)
        except UnavailableError as error:
            # The change is committed, and the notification worker applies the same counters later.
            log.warning("counters_not_applied", error=str(error))
