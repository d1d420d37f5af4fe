"""Feeds in Redis of very many users at once: copies of one short feed, which is built as the service builds it."""

from __future__ import annotations

from collections.abc import Sequence

from storage.feeds.feeds import Feeds
from storage.ids import IdGenerator
from storage.redis.client import Redis
from tests.support.driver_commands import commands, driver_client

ENTRIES = 8  # some 300 bytes; a full feed of 500 would be 8 KB, and a million of them 8 GB
_AT_ONCE = 10_000


async def fill_feeds(redis: Redis, feeds: Feeds, user_ids: Sequence[int], *, entries: int = ENTRIES) -> None:
    """Give each user a feed of as many photos, older than all that are posted from now on."""
    ids = IdGenerator()
    first = user_ids[0]
    await feeds.log.fill(first, await feeds.log.begin(first), [ids.new(0) for _ in range(entries)], complete=False)
    driver = driver_client(redis)
    try:
        log = await commands(redis).get(feeds.log.key(first))
        for start in range(0, len(user_ids), _AT_ONCE):
            pipeline = driver.pipeline(transaction=False)
            for user_id in user_ids[start : start + _AT_ONCE]:
                pipeline.set(feeds.log.key(user_id), log)
            await pipeline.execute()
    finally:
        await driver.aclose()
