"""Publish that an account was suspended or deleted, to its connected followers.

It is one message for an account, not one for each of its photos: clients remove what they show of the account. Users
that have its profile or a photo of it open receive it on the topics of these (`workers.jobs.permissions`).
"""

from __future__ import annotations

from channels.bus.publisher import LivePublisher
from storage.ids import shard_of
from storage.models import StarState
from storage.postgres.database import Queryable
from storage.stores import account_restrictions, follows, stars
from storage.stores.follows import Bound
from workers.jobs import publications
from workers.jobs.photo_feeds import message

CHUNK = 4_000  # followers; as many as one script call of the publisher takes


class HiddenAccounts:
    """Publisher of hidden accounts; `chunk` is the number of followers that are read at once."""

    def __init__(self, db: Queryable, publisher: LivePublisher, *, chunk: int = CHUNK) -> None:
        self._db = db
        self._publisher = publisher
        self._chunk = chunk

    async def publish(self, user_id: int) -> None:
        """Publish that an account is gone, unless it is shown again by now.

        Nothing is kept: clients that are not connected read lists without the account when they return. Raises
        `UnavailableError` or `LiveUnavailableError`.
        """
        restrictions = await account_restrictions.get(self._db, user_id)
        if restrictions is not None and restrictions.suspended_at is None:
            return
        body = message(publications.account_hidden(user_id))
        state = (await stars.standing(self._db, user_id)).state
        # While a star is promoted or demoted, processes know of some of its followers only. Clients that receive the
        # message twice have nothing left to remove.
        if state is not None:
            await self._publisher.to_followers_of_star(user_id, body)
        if state is not StarState.STAR:
            await self._to_each_follower(user_id, body)

    async def _to_each_follower(self, user_id: int, body: bytes) -> None:
        after: Bound | None = None
        while True:
            found = await follows.follower_ids(self._db, user_id, after=after, until=None, limit=self._chunk)
            if found:
                await self._publisher.to_users(found, body)
            if len(found) < self._chunk:
                return
            after = (shard_of(found[-1]), found[-1])
