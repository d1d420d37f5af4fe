"""Redis: the client with deadlines, and the driver's errors in our own words.

Every key that PicShare keeps in Redis is a cache or a signal: after a loss of all data each is built
again from PostgreSQL when it is next read, so nothing here is ever the only copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import redis.exceptions as driver
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from storage.errors import StorageError, UnavailableError

# The driver's own types are generic over its answers in ways that differ between versions.
Redis: TypeAlias = Any

ANSWER_TIMEOUT = 3.0  # seconds; a server that swallows packets is noticed by this alone
CONNECT_TIMEOUT = 1.5  # seconds
CONNECTION_WAIT = 3.0  # seconds for a free connection of the pool

_UNREACHABLE = (
    OSError,
    asyncio.TimeoutError,
    driver.ConnectionError,
    driver.TimeoutError,
    driver.ReadOnlyError,
    driver.OutOfMemoryError,
    driver.ClusterError,
    driver.TryAgainError,
    driver.MasterDownError,
)


def open_redis(url: str, *, max_connections: int = 32) -> Redis:
    """Return a client for `url` (redis://, rediss:// or unix://) that connects when first used.

    Answers are bytes. A connection that the server has closed meanwhile is replaced once, silently; a
    command whose answer is late is never repeated, because it may have been carried out.
    """
    retry = Retry(NoBackoff(), 1, supported_errors=(driver.ConnectionError,))
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=CONNECTION_WAIT,
        decode_responses=False,
        protocol=2,
        socket_timeout=ANSWER_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        retry=retry,
    )
    return AsyncRedis.from_pool(pool)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn the driver's errors into ours: `UnavailableError("redis")`, or `StorageError` for a refusal."""
    try:
        yield
    except _UNREACHABLE as error:
        raise UnavailableError("redis", str(error) or type(error).__name__) from error
    except driver.RedisError as error:
        if str(error).startswith(("MISCONF", "LOADING", "BUSY ", "NOREPLICAS")):
            raise UnavailableError("redis", str(error)) from error
        raise StorageError(f"redis refused a command: {error}") from error
