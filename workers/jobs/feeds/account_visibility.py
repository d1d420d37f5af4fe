"""Hide a deleted account from feeds and live connections, and show one whose deletion was undone.

What others read from PostgreSQL follows the account by itself (`storage.postgres.visibility`). As `LivePermissions`,
this works from the state of the database at that moment. The use case calls it after its commit, so that its effect
does not wait for a worker; the worker repeats it for the event.
"""

from __future__ import annotations

from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.postgres.database import Queryable
from storage.stores.accounts import users
from storage.stores.photos import photo_lists
from workers.jobs.live.permissions import LivePermissions


class AccountVisibility:
    """Aligns feeds and live connections; raises `UnavailableError` or `LiveUnavailableError`."""

    def __init__(self, db: Queryable, feeds: Feeds, cards: Cards, permissions: LivePermissions) -> None:
        self._db = db
        self._feeds = feeds
        self._cards = cards
        self._permissions = permissions

    async def align(self, user_id: int) -> None:
        """Hide or show the photos that feeds may hold; close the connections and topics of a hidden account."""
        exists = await users.exists(self._db, user_id)
        while True:
            if exists:
                await self._cards.revive(await self._in_feeds(user_id))
            else:
                await self._permissions.account_deleted(user_id)
                await self._feeds.discard(user_id)
                await self._cards.tombstone(*await self._in_feeds(user_id))
            # The deletion may have been undone meanwhile, and the cards been revived by another process before this.
            still = await users.exists(self._db, user_id)
            if still == exists:
                return
            exists = still

    async def _in_feeds(self, user_id: int) -> list[int]:
        # A feed holds the newest photos of all authors, so none of this author below the newest of a whole window.
        return await photo_lists.author_ids(self._db, user_id, limit=self._feeds.log.capacity)
