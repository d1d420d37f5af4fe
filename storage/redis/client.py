"""The Redis client: its port, how it is opened from a URL, and the translation of the driver's errors.

Every key in Redis is a cache or a signal. After a loss of all data each is built again from PostgreSQL when it is
next read, so nothing here is ever the only copy.

The driver (redis-py) parses URLs and defines the exceptions; connections and commands are our own, because a pool
that gives each command a connection costs some 70 µs of this process per command.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import redis.exceptions as driver
from redis.asyncio.connection import Connection, parse_url

from storage.circuit import Circuits
from storage.errors import StorageError, UnavailableError
from storage.ids import SLOT_GROUPS
from storage.redis.absent import AbsentRedis
from storage.redis.address import ABSENT, RedisAddress, cluster_nodes, is_cluster
from storage.redis.cluster import ClusterConnections
from storage.redis.shared_connection import SILENCE, SharedConnection
from storage.redis.subscriber import MessageListener, Subscriber

REPLY_TIMEOUT = 3.0  # seconds; the only way to notice a server that swallows packets
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


class Redis(Protocol):
    """Client of one server or of a cluster; `SharedConnection`, `ClusterConnections` and `AbsentRedis` implement it.

    Commands of all callers share a connection per server, without waiting for each other's replies. A command that
    finds its connection lost is sent once more on a new one. A command whose reply is late is not, because it may have
    been carried out. Replies are raw: bytes, integers, lists, None. Methods raise the driver's errors; `redis_errors`
    translates them.
    """

    @property
    def sharded(self) -> bool:
        """Whether this is a cluster, whose keys and channels have slots on different servers."""
        ...

    async def execute_command(self, *command: bytes | str | int) -> Any:
        """Send a command to the server of its first key and return the reply."""
        ...

    async def execute_everywhere(self, *command: bytes | str | int) -> Mapping[RedisAddress, Any]:
        """Send a command to every master and return the replies; an error is returned in place of a reply."""
        ...

    async def refresh_slots(self) -> None:
        """Read the slot map again; does nothing on a single server."""
        ...

    def reconnect(self) -> None:
        """Open new connections for the next commands, because the present ones may be dead without notice."""
        ...

    def slot_of(self, key: bytes) -> int:
        """Return a key's slot; one command or script may name keys of one slot only. A single server has one slot."""
        ...

    def server_of(self, name: bytes) -> RedisAddress:
        """Return the server of a key or channel, as far as known; raise `ClusterDownError` if it has none."""
        ...

    async def subscriber(self, server: RedisAddress, listener: MessageListener) -> Subscriber:
        """Open a connection to a server for pub/sub; `listener` receives its messages."""
        ...

    async def aclose(self) -> None:
        """Close all connections that carry commands."""
        ...


def open_redis(url: str, circuits: Circuits | None = None) -> Redis:
    """Return a client for a URL, which connects at the first command.

    The URL is redis://, rediss:// or unix://, or that of a cluster as in `storage.redis.address`; none: is the Redis
    that is not there. `circuits` has the circuit `redis`, or one for each server of a cluster.
    """
    if url == ABSENT:
        return AbsentRedis()
    timeouts = {"reply_timeout": REPLY_TIMEOUT, "connect_timeout": CONNECT_TIMEOUT}
    if not is_cluster(url):
        circuit = None if circuits is None else circuits("redis", SILENCE)
        return SharedConnection(_address(url), **timeouts, circuit=circuit)
    first, nodes = cluster_nodes(url)
    address = _address(first)
    seeds = [dataclasses.replace(address, host=host, port=port) for host, port in nodes]
    return ClusterConnections(seeds, **timeouts, circuits=circuits)


async def check_writable(redis: Redis) -> None:
    """Prove that Redis carries out writes, without changing anything; raise `UnavailableError`.

    In a cluster one master that does is enough. The loss of one makes a part of the users wait; if it made every
    process count as not ready, it would be an outage for all.
    """
    keys = [b"ready:{%d}" % group for group in range(SLOT_GROUPS)]
    # XX writes to existing keys only, and these do not exist. Redis checks before that whether it accepts writes.
    writes = [
        asyncio.ensure_future(redis.execute_command("SET", keys[group[0]], 1, "XX")) for group in by_slot(redis, keys)
    ]
    try:
        with redis_errors():
            await _first_result(writes)
    finally:
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)


async def _first_result(futures: Sequence[asyncio.Future[Any]]) -> None:
    """Return as soon as one of the futures has a result; raise the last error if none has."""
    failure: Exception | None = None
    for finished in asyncio.as_completed(futures):
        try:
            await finished
        except (driver.RedisError, OSError) as error:
            failure = error
        else:
            return
    if failure is not None:
        raise failure


async def values_of(redis: Redis, keys: Sequence[bytes]) -> list[bytes | None]:
    """Return the values of keys, which may lie in different slots."""
    groups = by_slot(redis, keys)
    replies = await asyncio.gather(
        *(redis.execute_command("MGET", *(keys[index] for index in group)) for group in groups)
    )
    return in_order(groups, replies)


def by_slot(redis: Redis, keys: Sequence[bytes]) -> list[list[int]]:
    """Group keys by slot and return their indexes; each group may be named in one command or script."""
    groups: dict[int, list[int]] = {}
    slot_of = redis.slot_of
    for index, key in enumerate(keys):
        groups.setdefault(slot_of(key), []).append(index)
    return list(groups.values())


def in_order(groups: Sequence[Sequence[int]], replies: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the items of the replies to `by_slot`'s groups in the order of the keys."""
    if len(groups) == 1:
        return list(replies[0])
    found = {
        index: item
        for group, reply in zip(groups, replies, strict=True)
        for index, item in zip(group, reply, strict=True)
    }
    return [found[index] for index in range(len(found))]


def _address(url: str) -> RedisAddress:
    settings: dict[str, Any] = {**parse_url(url)}
    # A driver connection that is never opened turns the TLS options of the URL into an SSL context.
    connection = settings.pop("connection_class", Connection)(**settings)
    tls = connection.ssl_context.get() if hasattr(connection, "ssl_context") else None
    names = {item.name for item in dataclasses.fields(RedisAddress)}
    return RedisAddress(**{name: value for name, value in settings.items() if name in names}, tls=tls)


class _RedisErrors:
    """The translation; a class, because a `contextlib.contextmanager` costs one microsecond per command."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, _UNREACHABLE):
            raise UnavailableError("redis", str(error) or type(error).__name__) from error
        if isinstance(error, driver.MovedError):
            raise StorageError("redis is a node of a cluster: redis.url should begin with redis+cluster://") from error
        if isinstance(error, driver.RedisError):
            # These refusals describe the state of the server, not a mistake of ours, and pass by themselves.
            if str(error).startswith(("MISCONF", "LOADING", "BUSY ", "NOREPLICAS")):
                raise UnavailableError("redis", str(error)) from error
            raise StorageError(f"redis refused a command: {error}") from error


_ERRORS = _RedisErrors()


def redis_errors() -> _RedisErrors:
    """Turn the driver's errors into `UnavailableError("redis")`, or `StorageError` if Redis refused the command."""
    return _ERRORS
