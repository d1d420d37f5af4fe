"""The stores of a process, opened together and closed last first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from channels.bus.presence_store import PresenceStore
from channels.bus.publisher import LivePublisher
from server.composition.brokers import routes_of
from server.composition.delivery import delivery_script
from server.config.settings import Settings
from storage.blobs.file import FileBlobs
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.postgres.database import Database
from storage.redis.client import Redis, open_redis


@dataclass(frozen=True, kw_only=True)
class Stores:
    """What every role may use; the engines behind it are connected to when they are first asked."""

    db: Database
    redis: Redis
    blobs: FileBlobs
    cards: Cards
    engagement: CounterCache
    feeds: Feeds
    notification_log: NotificationLog
    publisher: LivePublisher
    presence: PresenceStore


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores of settings whose addresses are real; raise `UnavailableError`."""
    db = await Database.connect(
        settings.database.url,
        routes=routes_of(settings),
        min_size=settings.database.pool_min,
        max_size=max(settings.database.pool_min, settings.database.pool_max),
    )
    redis = open_redis(settings.redis.url)
    try:
        cards, delivery = Cards(db, redis), delivery_script(redis)
        yield Stores(
            db=db,
            redis=redis,
            blobs=FileBlobs(settings.blob_directory),
            cards=cards,
            engagement=CounterCache(db, redis),
            feeds=Feeds(db, redis, cards, delivery),
            notification_log=NotificationLog(redis, delivery),
            publisher=LivePublisher(redis, slot_group),
            presence=PresenceStore(redis, slot_group),
        )
    finally:
        await redis.aclose()
        await db.close()
