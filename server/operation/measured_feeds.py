"""Feeds whose insertions are counted."""

from __future__ import annotations

from collections.abc import Iterable

from server.operation.metrics import Metrics
from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.feeds.window_log import Inserted, LivePublication
from storage.postgres.database import Queryable
from storage.redis.client import Redis


class MeasuredFeeds(Feeds):
    """Count what `insert` put into feeds; all else is as in `Feeds`."""

    def __init__(self, db: Queryable, redis: Redis, cards: Cards, metrics: Metrics) -> None:
        super().__init__(db, redis, cards)
        self._metrics = metrics

    async def insert(self, photo_id: int, user_ids: Iterable[int], announcement: LivePublication) -> Inserted:
        """Insert a photo as `Feeds` does, and count the feeds."""
        inserted = await super().insert(photo_id, user_ids, announcement)
        self._metrics.feeds_inserted(inserted.feeds)
        return inserted
