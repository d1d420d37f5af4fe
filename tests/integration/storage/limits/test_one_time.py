"""Values that are used once, and tries that are counted."""

from __future__ import annotations

import asyncio

import pytest

from storage.limits.one_time import OneTimeValues
from storage.redis.client import Redis

pytestmark = pytest.mark.engines


async def test_a_value_is_taken_once(redis: Redis) -> None:
    """Of requests at the same moment one gets it; another kind or name has none, and its name is not stored."""
    values = OneTimeValues(redis)
    await values.keep("a", b"name", "value", ttl=60)
    assert await values.take("b", b"name") is None
    assert await values.take("a", b"other") is None
    taken = await asyncio.gather(*(values.take("a", b"name") for _ in range(5)))
    assert sorted(taken, key=str) == [None] * 4 + ["value"]
    await values.keep("a", b"name", "value", ttl=60)
    keys = await redis.execute_command("KEYS", "once:*")
    assert keys
    assert not any(b"name" in key for key in keys)
    assert 0 < await redis.execute_command("TTL", keys[0]) <= 60


async def test_a_name_is_used_once_and_tries_are_counted(redis: Redis) -> None:
    """Of uses at the same moment one succeeds; both are forgotten after their time."""
    values = OneTimeValues(redis)
    assert await values.is_used("a", b"name") is False
    assert sum(await asyncio.gather(*(values.use("a", b"name", ttl=60) for _ in range(5)))) == 1
    assert await values.is_used("a", b"name") is True
    assert [await values.count("tries", b"name", ttl=60) for _ in range(3)] == [1, 2, 3]
    for key in await redis.execute_command("KEYS", "once:*"):
        assert 0 < await redis.execute_command("TTL", key) <= 60
