"""Changes that concern many rows: copies of an account's name and pictures, requests to follow it, collections.

As in `workers.jobs.bulk.account_removal`, each event covers one batch, and its handler emits the next one.
"""

from __future__ import annotations

from collections.abc import Mapping

from storage.cache.cards import Cards
from storage.events import AccountOpened, CollectionsOutdated, CopiesOutdated, UserFollowed
from storage.feeds.feeds import Feeds
from storage.postgres.database import Database
from storage.stores.accounts.account_fields import COMMENTS_AT_ONCE
from storage.stores.comments import comments
from storage.stores.photos import photo_lists
from storage.stores.saved import collection_items
from storage.stores.social import follows
from workers.handlers import EventHandler, on
from workers.jobs.feeds.relations import CARDS_AT_ONCE
from workers.jobs.inbox.notify import NotifyHandlers

REQUESTS_AT_ONCE = 20  # requests to follow that are granted in one transaction, which locks the accounts


class AccountChanges:
    """Handlers of outdated copies and collections, and of accounts that became public."""

    def __init__(self, db: Database, cards: Cards, feeds: Feeds, notify: NotifyHandlers) -> None:
        self._db = db
        self._cards = cards
        self._feeds = feeds
        self._notify = notify

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(CopiesOutdated, self.copies_outdated),
            **on(CollectionsOutdated, self.collections_outdated),
            **on(AccountOpened, self.opened),
        }

    async def copies_outdated(self, event: CopiesOutdated) -> None:
        """Invalidate the next cards of a user's photos, and rename the author of the next comments."""
        photos_below, comments_below = event.photos_below, event.comments_below
        if photos_below is not None:
            ids = await photo_lists.author_ids(self._db, event.user_id, before=photos_below, limit=CARDS_AT_ONCE)
            await self._cards.invalidate(ids)
            photos_below = ids[-1] if len(ids) == CARDS_AT_ONCE else None
        async with self._db.transaction() as tx:
            if comments_below is not None:
                comments_below = await comments.rename_author(
                    tx, event.user_id, below=comments_below, limit=COMMENTS_AT_ONCE
                )
            if (photos_below, comments_below) != (None, None):
                tx.emit(CopiesOutdated(user_id=event.user_id, photos_below=photos_below, comments_below=comments_below))

    async def collections_outdated(self, event: CollectionsOutdated) -> None:
        """Remove deleted photos from the next collections."""
        async with self._db.transaction() as tx:
            if await collection_items.forget(tx, event.photo_ids):
                tx.emit(event)

    async def opened(self, event: AccountOpened) -> None:
        """Handle the last requests that were granted like any accepted one, and grant the next."""
        for follower_id in event.followers:
            await self._feeds.align_author(follower_id, event.user_id)
            await self._notify.followed(UserFollowed(follower_id=follower_id, followee_id=event.user_id, accepted=True))
        async with self._db.transaction() as tx:
            granted = await follows.grant_requests(tx, event.user_id, limit=REQUESTS_AT_ONCE)
            if granted is not None:
                tx.emit(AccountOpened(user_id=event.user_id, followers=granted))
