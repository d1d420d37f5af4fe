"""Redis: the client with deadlines, and the driver's errors in our own words.

Every key that PicShare keeps in Redis is a cache or a signal: after a loss of all data each is built
again from PostgreSQL when it is next read, so nothing here is ever the only copy.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import redis.exceptions as driver
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from storage.errors import StorageError, UnavailableError
from storage.redis_link import Link, LinkAddress

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


class LinkedRedis(AsyncRedis):  # type: ignore[type-arg,misc,unused-ignore]
    """The driver's client, with a shared connection beside its pool for what is asked most often."""

    link: Link

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the shared connection and the pool."""
        await self.link.close()
        await super().aclose(close_connection_pool)


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
    client = cast(LinkedRedis, LinkedRedis.from_pool(pool))
    client.link = Link(_address(pool), answer_timeout=ANSWER_TIMEOUT, connect_timeout=CONNECT_TIMEOUT)
    return client


async def execute(redis: Redis, *command: bytes | str | int) -> Any:
    """Run a command on the shared connection, or in the pool of a client that has none (a cluster's)."""
    link: Link | None = getattr(redis, "link", None)
    return await (redis.execute_command(*command) if link is None else link.call(*command))


def _address(pool: Any) -> LinkAddress:
    # A connection that is never opened knows the address, and the TLS settings as the driver reads them.
    settings, connection = pool.connection_kwargs, pool.make_connection()
    names = {item.name for item in dataclasses.fields(LinkAddress)}
    given = {name: value for name, value in settings.items() if name in names}
    tls = connection.ssl_context.get() if hasattr(connection, "ssl_context") else None
    return LinkAddress(**given, tls=tls)


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
