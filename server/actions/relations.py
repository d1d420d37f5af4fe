"""Follow, block and mute users, decide about requests to follow, choose close friends, and turn bells on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from server.actions.live_permissions import at_once
from storage.errors import UnavailableError
from storage.feeds.feeds import Feeds
from storage.postgres.database import Database, Transaction
from storage.postgres.keyed_limit import KeyedLimit
from storage.stores.social import bells, blocks, close_friends, follows
from workers.jobs.live.permissions import LivePermissions

QUOTA = "follows"

log = structlog.get_logger(__name__)

Change = Callable[[Transaction, int, int], Awaitable[bool]]
Consequence = Callable[[int, int], Awaitable[None]]


class RelationActions:
    """Relations between the viewer and another user; home feed and live subscriptions follow each change at once.

    Every method but `accept` and `decline` is idempotent and raises `NotFoundError("user")` where there is no such
    user, or none that the viewer may know of.
    """

    def __init__(self, db: Database, feeds: Feeds, permissions: LivePermissions) -> None:
        self._db = db
        self._feeds = feeds
        self._permissions = permissions
        self._changes = KeyedLimit()

    async def follow(self, viewer_id: int, user_id: int) -> bool:
        """Follow a user; return False where the account is private and a request was made instead.

        Raises `ConflictError` cannot_follow_yourself.
        """
        return await self._change(follows.follow, viewer_id, user_id)

    async def unfollow(self, viewer_id: int, user_id: int) -> bool:
        """Stop following a user, or withdraw the request; return False when there was neither."""
        return await self._change(follows.unfollow, viewer_id, user_id, self._permissions.follow_ended)

    async def block(self, viewer_id: int, user_id: int) -> bool:
        """Block a user, which ends follows and requests both ways; return False when blocked already.

        Raises `ConflictError` cannot_block_yourself.
        """
        return await self._change(blocks.block, viewer_id, user_id, self._permissions.block_changed)

    async def unblock(self, viewer_id: int, user_id: int) -> bool:
        """Remove a block; return False when there was none. The follows that it ended do not return."""
        return await self._change(blocks.unblock, viewer_id, user_id, self._permissions.block_changed)

    async def mute(self, viewer_id: int, user_id: int) -> bool:
        """Keep a user's photos out of the viewer's feed and their actions out of the inbox; False when muted already.

        Raises `ConflictError` cannot_mute_yourself.
        """
        return await self._change(blocks.mute, viewer_id, user_id)

    async def unmute(self, viewer_id: int, user_id: int) -> bool:
        """Remove a mute; return False when there was none."""
        return await self._change(blocks.unmute, viewer_id, user_id)

    async def add_close_friend(self, viewer_id: int, user_id: int) -> bool:
        """Make a user a close friend, without notice; return False if they are one already.

        Raises `ConflictError`: not_your_own_friend, too_many_close_friends.
        """
        return await self._change_circle(close_friends.add, viewer_id, user_id)

    async def remove_close_friend(self, viewer_id: int, user_id: int) -> bool:
        """Remove a close friend, without notice; return False if the user is none."""
        return await self._change_circle(close_friends.remove, viewer_id, user_id)

    async def turn_bell_on(self, viewer_id: int, user_id: int) -> bool:
        """Notify the viewer of each new photo of a followed user; return False if that is so already.

        Raises `ConflictError` not_following.
        """
        async with self._changes.slot(user_id), self._db.transaction() as tx:
            return await bells.turn_on(tx, viewer_id, user_id)

    async def turn_bell_off(self, viewer_id: int, user_id: int) -> bool:
        """End that; return False if there is no bell."""
        async with self._changes.slot(user_id), self._db.transaction() as tx:
            return await bells.turn_off(tx, viewer_id, user_id)

    async def accept(self, viewer_id: int, follower_id: int) -> None:
        """Accept a request to follow the viewer. Raises `NotFoundError("request")`."""
        async with self._db.transaction() as tx:
            await follows.accept(tx, viewer_id, follower_id)
            tx.on_commit(lambda: self._update_feed(follower_id, viewer_id))

    async def decline(self, viewer_id: int, follower_id: int) -> None:
        """Decline a request to follow the viewer, without notice. Raises `NotFoundError("request")`."""
        async with self._db.transaction() as tx:
            await follows.decline(tx, viewer_id, follower_id)

    async def _change(
        self, change: Change, viewer_id: int, user_id: int, permissions: Consequence | None = None
    ) -> bool:
        async with self._changes.slot(user_id), self._db.transaction() as tx:
            result = await change(tx, viewer_id, user_id)
            # Live connections first: they show new activity within milliseconds.
            if permissions is not None:
                tx.on_commit(lambda: at_once(permissions(viewer_id, user_id)))
            tx.on_commit(lambda: self._update_feed(viewer_id, user_id))
        return result

    async def _change_circle(self, change: Change, viewer_id: int, user_id: int) -> bool:
        async with self._changes.slot(viewer_id), self._db.transaction() as tx:
            result = await change(tx, viewer_id, user_id)
            tx.on_commit(lambda: at_once(self._permissions.close_friend_changed(viewer_id, user_id)))
            tx.on_commit(lambda: self._update_feed(user_id, viewer_id))
        return result

    async def _update_feed(self, viewer_id: int, author_id: int) -> None:
        try:
            await self._feeds.align_author(viewer_id, author_id)
        except UnavailableError as error:
            # The change is committed, and the fan-out worker updates the feed for the same event.
            log.warning("feed_not_updated", error=str(error))
