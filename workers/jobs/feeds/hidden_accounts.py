"""Publish that an account was suspended or deleted, to its connected followers.

It is one message for an account, not one for each of its photos: clients remove what they show of the account. Users
that have its profile or a photo of it open receive it on the topics of these (`workers.jobs.live.permissions`).
"""

from __future__ import annotations

from storage.postgres.database import Queryable
from storage.stores.accounts import account_restrictions
from workers.jobs.feeds.follower_publications import FollowerPublications
from workers.jobs.live import publications


class HiddenAccounts:
    """Publisher of hidden accounts."""

    def __init__(self, db: Queryable, followers: FollowerPublications) -> None:
        self._db = db
        self._followers = followers

    async def publish(self, user_id: int) -> None:
        """Publish that an account is gone, unless it is shown again by now.

        Clients that receive it twice have nothing left to remove. Raises `UnavailableError` or `LiveUnavailableError`.
        """
        restrictions = await account_restrictions.get(self._db, user_id)
        if restrictions is not None and restrictions.suspended_at is None:
            return
        await self._followers.publish(user_id, publications.account_hidden(user_id))
