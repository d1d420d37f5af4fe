"""Publications to all connected followers of an account, on their own `feed`.

Nothing is kept: clients that are not connected see the change with their next read. Users that have the account's
profile or a photo of it open receive it on the topics of these.
"""

from __future__ import annotations

from channels.bus.publisher import LivePublisher
from storage.ids import shard_of
from storage.models import StarState
from storage.postgres.database import Queryable
from storage.stores.social import follows, stars
from storage.stores.social.follows import Bound
from workers.jobs.feeds.photo_feeds import message

CHUNK = 4_000  # followers; as many as one script call of the publisher takes


class FollowerPublications:
    """Publisher to followers; `chunk` is the number of them that are read at once."""

    def __init__(self, db: Queryable, publisher: LivePublisher, *, chunk: int = CHUNK) -> None:
        self._db = db
        self._publisher = publisher
        self._chunk = chunk

    async def publish(self, user_id: int, document: bytes) -> None:
        """Publish a document to the followers of a user, to some of them perhaps twice.

        Raises `UnavailableError` or `LiveUnavailableError`.
        """
        body = message(document)
        state = (await stars.standing(self._db, user_id)).state
        # While a star is promoted or demoted, processes know of some of its followers only.
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
