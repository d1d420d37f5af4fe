"""Feeds whose insertions are counted."""

from __future__ import annotations

from collections.abc import Iterable

from server.operation.metrics import Metrics
from storage.cache.cards import Cards
from storage.feeds.feeds import Feeds
from storage.feeds.window_log import DeliveryScript, Inserted
from storage.postgres.database import Queryable
from storage.redis.client import Redis


class MeasuredFeeds(Feeds):
    """Count what `insert` put into feeds; all else is as in `Feeds`."""

    def __init__(self, db: Queryable, redis: Redis, cards: Cards, delivery: DeliveryScript, metrics: Metrics) -> None:
        super().__init__(db, redis, cards, delivery)
        self._metrics = metrics

    async def insert(self, photo_id: int, user_ids: Iterable[int], message: bytes) -> Inserted:
        """Insert a photo as `Feeds` does, and count the feeds."""
        inserted = await super().insert(photo_id, user_ids, message)
        self._metrics.feeds_inserted(inserted.feeds)
        return inserted
