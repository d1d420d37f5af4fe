"""Redis: the client with deadlines, and the driver's errors in our own words.

Every key that PicShare keeps in Redis is a cache or a signal: after a loss of all data each is built
again from PostgreSQL when it is next read, so nothing here is ever the only copy.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any, TypeAlias

import redis.exceptions as driver
from redis.asyncio import ConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from storage.errors import StorageError, UnavailableError
from storage.redis.address import cluster_nodes, is_cluster
from storage.redis.cluster import ClusterConnections
from storage.redis.connection import RedisAddress
from storage.redis.shared_connection import SharedConnection
from storage.redis.stale_data import connect
from storage.redis.subscriber import MessageListener, Subscriber

# The driver's own types are generic over its answers in ways that differ between versions.
Redis: TypeAlias = Any

ANSWER_TIMEOUT = 3.0  # seconds; a server that swallows packets is noticed by this alone
CONNECT_TIMEOUT = 1.5  # seconds

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


class RedisClientAdapter(AsyncRedis):  # type: ignore[type-arg,misc,unused-ignore]
    """The driver's client, whose commands go over `link`: one server's shared connection, or a cluster's.

    Pub/sub has connections of its own (`subscriber`). The driver's pipelines would not find a cluster's slots: to
    send several commands together, gather them.
    """

    def __init__(self, link: SharedConnection | ClusterConnections, pool: Any) -> None:
        super().__init__(connection_pool=pool)
        self.link = link

    @property
    def sharded(self) -> bool:
        """Tell whether keys and channels lie on several servers, each with its slot."""
        return self.link.sharded

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """Run a command of the driver's and return what it makes of the answer."""
        name, *arguments = command
        answer = await self.link.call(*name.split(), *arguments)
        callback = self.response_callbacks.get(name)
        if callback is None:
            return answer
        result = callback(answer, **{key: value for key, value in options.items() if key != "keys"})
        return await result if inspect.isawaitable(result) else result

    async def refresh_slots(self) -> None:
        """Learn anew which server each slot lies on."""
        await self.link.refresh()

    def reconnect(self) -> None:
        """Open other connections for the commands to come, since those that stand may be dead and not told so."""
        self.link.reconnect()

    def server_of(self, name: bytes) -> RedisAddress:
        """Return the server on which a key or channel lies, as far as it is known."""
        return self.link.server_of(name)

    async def subscriber(self, server: RedisAddress, listener: MessageListener) -> Subscriber:
        """Open a connection that hears what is published at a server, and tells `listener`."""
        return await connect(server, Subscriber(listener, greeting_timeout=ANSWER_TIMEOUT), timeout=CONNECT_TIMEOUT)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the shared connections and the pool."""
        await self.link.close()
        await super().aclose(close_connection_pool is not False)


def open_redis(url: str) -> Redis:
    """Return a client for `url` (redis://, rediss://, unix://, or a cluster as in `storage.redis.address`).

    Answers are bytes. A connection that the server has closed meanwhile is replaced once, silently; a
    command whose answer is late is never repeated, because it may have been carried out.
    """
    timeouts = {"answer_timeout": ANSWER_TIMEOUT, "connect_timeout": CONNECT_TIMEOUT}
    if not is_cluster(url):
        pool = _pool(url)
        return RedisClientAdapter(SharedConnection(_address(pool), **timeouts), pool)
    first, nodes = cluster_nodes(url)
    pool = _pool(first)
    address = _address(pool)
    seeds = [dataclasses.replace(address, host=host, port=port) for host, port in nodes]
    return RedisClientAdapter(ClusterConnections(seeds, **timeouts), pool)


async def execute(redis: Redis, *command: bytes | str | int) -> Any:
    """Run a command and return its answer as it came."""
    return await redis.link.call(*command)


async def values_of(redis: Redis, keys: Sequence[bytes]) -> list[bytes | None]:
    """Return what stands at keys, wherever they lie."""
    groups = by_slot(redis, keys)
    answers = await asyncio.gather(*(execute(redis, "MGET", *(keys[at] for at in group)) for group in groups))
    return in_order(groups, answers)


def by_slot(redis: Redis, keys: Sequence[bytes]) -> list[list[int]]:
    """Return the positions of the keys that one command or script may name together; on one server, all of them."""
    groups: dict[int, list[int]] = {}
    slot_of = redis.link.slot_of
    for position, key in enumerate(keys):
        groups.setdefault(slot_of(key), []).append(position)
    return list(groups.values())


def in_order(groups: Sequence[Sequence[int]], answers: Sequence[Sequence[Any]]) -> list[Any]:
    """Return what was answered for each key of `by_slot`'s groups, in the order of the keys."""
    if len(groups) == 1:
        return list(answers[0])
    found = {
        at: item for group, answer in zip(groups, answers, strict=True) for at, item in zip(group, answer, strict=True)
    }
    return [found[at] for at in range(len(found))]


def _pool(url: str) -> Any:
    return ConnectionPool.from_url(
        url,
        decode_responses=False,
        protocol=2,
        socket_timeout=ANSWER_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        retry=Retry(NoBackoff(), 1, supported_errors=(driver.ConnectionError,)),
    )


def _address(pool: Any) -> RedisAddress:
    # A connection that is never opened knows the address, and the TLS settings as the driver reads them.
    settings, connection = pool.connection_kwargs, pool.make_connection()
    names = {item.name for item in dataclasses.fields(RedisAddress)}
    given = {name: value for name, value in settings.items() if name in names}
    tls = connection.ssl_context.get() if hasattr(connection, "ssl_context") else None
    return RedisAddress(**given, tls=tls)


class _RedisErrors:
    """The translation; written out, since one made by `contextlib.contextmanager` costs a microsecond a command."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, _UNREACHABLE):
            raise UnavailableError("redis", str(error) or type(error).__name__) from error
        if isinstance(error, driver.MovedError):
            raise StorageError("redis is a node of a cluster: redis.url should begin with redis+cluster://") from error
        if isinstance(error, driver.RedisError):
            if str(error).startswith(("MISCONF", "LOADING", "BUSY ", "NOREPLICAS")):
                raise UnavailableError("redis", str(error)) from error
            raise StorageError(f"redis refused a command: {error}") from error


_ERRORS = _RedisErrors()


def redis_errors() -> _RedisErrors:
    """Turn the driver's errors into ours: `UnavailableError("redis")`, or `StorageError` for a refusal."""
    return _ERRORS
