"""Update feeds and live subscriptions after follows, unfollows, blocks, mutes and changes of accounts.

Feeds are aligned with the database as it is at that moment, not with the event, so the order of events does not matter.
Subscriptions that are no longer permitted end at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from channels.bus.publisher import LivePublisher
from storage.cache.cards import Cards
from storage.errors import NotFoundError
from storage.events import (
    AccountOpened,
    CloseFriendChanged,
    CopiesOutdated,
    PresenceHidden,
    UserBlocked,
    UserChanged,
    UserFollowed,
    UserMuted,
    UserUnblocked,
    UserUnfollowed,
)
from storage.feeds.feeds import Feeds
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.photos import photo_lists
from workers.handlers import EventHandler, on
from workers.jobs.feeds.account_visibility import AccountVisibility
from workers.jobs.feeds.follower_publications import FollowerPublications
from workers.jobs.feeds.hidden_accounts import HiddenAccounts
from workers.jobs.live import publications
from workers.jobs.live.permissions import LivePermissions

CARDS_AT_ONCE = 1_000  # invalidated in one step, some 10 ms


class RelationHandlers:
    """Handlers of changes between users, and of accounts; the other half of the queue "fanout"."""

    def __init__(self, db: Database, feeds: Feeds, cards: Cards, publisher: LivePublisher) -> None:
        self._db = db
        self._feeds = feeds
        self._cards = cards
        self._publisher = publisher
        self._permissions = LivePermissions(db, publisher)
        self._visibility = AccountVisibility(db, feeds, cards, self._permissions)
        self._followers = FollowerPublications(db, publisher)
        self._hidden_accounts = HiddenAccounts(db, self._followers)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(UserFollowed, self.followed),
            **on(UserUnfollowed, self.unfollowed),
            **on(UserBlocked, self.blocked),
            **on(UserUnblocked, self.unblocked),
            **on(UserMuted, self.muted),
            **on(CloseFriendChanged, self.close_friend_changed),
            **on(UserChanged, self.changed),
            **on(PresenceHidden, self.presence_hidden),
        }

    async def followed(self, event: UserFollowed) -> None:
        """Merge the photos of the followed user into the follower's feed; a request to follow changes nothing."""
        if not event.requested:
            await self._feeds.align_author(event.follower_id, event.followee_id)

    async def unfollowed(self, event: UserUnfollowed) -> None:
        """Remove a user's photos from a feed, and revoke the topics that only followers may subscribe to."""
        await self._permissions.follow_ended(event.follower_id, event.followee_id)
        await self._feeds.align_author(event.follower_id, event.followee_id)

    async def blocked(self, event: UserBlocked) -> None:
        """Separate two users: their live connections, then their feeds."""
        # The connections come first, because they show new activity within milliseconds.
        await self._permissions.block_changed(event.blocker_id, event.blocked_id)
        await self._feeds.align_author(event.blocker_id, event.blocked_id)
        await self._feeds.align_author(event.blocked_id, event.blocker_id)

    async def unblocked(self, event: UserUnblocked) -> None:
        """End the separation of two users' live connections; follows and subscriptions do not return."""
        await self._permissions.block_changed(event.blocker_id, event.blocked_id)

    async def muted(self, event: UserMuted) -> None:
        """Remove a muted user's photos from the feed, or merge them again."""
        await self._feeds.align_author(event.muter_id, event.muted_id)

    async def close_friend_changed(self, event: CloseFriendChanged) -> None:
        """Merge the photos for close friends into a user's feed or remove them, and check the topics of photos."""
        await self._permissions.close_friend_changed(event.owner_id, event.friend_id)
        await self._feeds.align_author(event.friend_id, event.owner_id)

    async def changed(self, event: UserChanged) -> None:
        """Rebuild an account's newest cards and publish its profile; close its topics if it became private.

        The queue "bulk" rebuilds the others, and grants the pending requests if the account became public. Of a deleted
        account, close the connections and topics, and hide the photos that feeds may hold, until it is restored. The
        connected followers receive a new profile, and that the account was deleted or suspended.
        """
        if event.deleted or event.suspended:
            await self._hidden_accounts.publish(event.user_id)
        if event.deleted or event.restored:
            await self._visibility.align(event.user_id)
            return
        if event.suspended:
            await self._permissions.account_deleted(event.user_id)
        if event.closed:
            await self._permissions.account_closed(event.user_id, event.order)
        # A card of a public account has public URLs and the old name.
        newest = await photo_lists.author_ids(self._db, event.user_id, limit=CARDS_AT_ONCE)
        await self._cards.invalidate(newest)
        async with self._db.transaction() as tx:
            if len(newest) == CARDS_AT_ONCE:
                tx.emit(CopiesOutdated(user_id=event.user_id, photos_below=newest[-1]))
            if event.opened:
                tx.emit(AccountOpened(user_id=event.user_id))
        if event.profile:
            await self._publish_profile(event.user_id)

    async def _publish_profile(self, user_id: int) -> None:
        try:
            user = await users.get(self._db, user_id)
        except NotFoundError:
            return  # the account was deleted meanwhile, and its topic is closed
        document = publications.user_changed(user)
        await self._publisher.to_topic(publications.user_topic(user_id), document)
        await self._followers.publish(user_id, document)

    async def presence_hidden(self, event: PresenceHidden) -> None:
        """End all subscriptions to a user's presence but the user's own."""
        await self._permissions.presence_hidden(event.user_id)
