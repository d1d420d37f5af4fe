"""Like and unlike photos."""

from __future__ import annotations

from functools import partial

from server.actions.counter_updates import update_cache
from storage.cache.counters import CounterCache
from storage.models import PhotoCounters
from storage.postgres.database import Database
from storage.postgres.keyed_limit import KeyedLimit
from storage.stores.photos import likes

LIKE_QUOTA = "likes"


class ReactionActions:
    """Likes of photos; the counters that feeds show follow each change at once."""

    def __init__(self, db: Database, counter_cache: CounterCache) -> None:
        self._db = db
        self._counter_cache = counter_cache
        self._changes = KeyedLimit()

    async def like(self, viewer_id: int, photo_id: int) -> PhotoCounters:
        """Like a photo; liking it again changes nothing. Raises `NotFoundError("photo")`."""
        async with self._changes.slot(photo_id), self._db.transaction() as tx:
            counters = await likes.add(tx, photo_id=photo_id, user_id=viewer_id)
            tx.on_commit(partial(update_cache, self._counter_cache, counters, viewer_id))
        return counters

    async def unlike(self, viewer_id: int, photo_id: int) -> PhotoCounters:
        """Remove the viewer's like, if there is one. Raises `NotFoundError("photo")`."""
        async with self._changes.slot(photo_id), self._db.transaction() as tx:
            counters = await likes.remove(tx, photo_id=photo_id, user_id=viewer_id)
            tx.on_commit(partial(update_cache, self._counter_cache, counters, viewer_id))
        return counters
