"""A Redis client whose pub/sub connections go through proxies that can cut or freeze them, one per server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager

from storage.redis.address import RedisAddress
from storage.redis.client import Redis
from storage.redis.connection import open_connection
from storage.redis.subscriber import MessageListener, Subscriber
from tests.support.tcp_proxy import TcpProxy


class ProxiedRedis:
    """Connects to each server through a proxy for pub/sub; commands go directly to the server."""

    def __init__(self, redis: Redis, proxies: AsyncExitStack) -> None:
        self._redis = redis
        self._stack = proxies
        self._proxies: dict[Hashable, TcpProxy] = {}
        self.sharded: bool = redis.sharded
        self.execute_command = redis.execute_command
        self.renewals = 0
        self.generation = 0  # a new number makes all servers count as new ones

    @classmethod
    @asynccontextmanager
    async def of(cls, redis: Redis) -> AsyncIterator[ProxiedRedis]:
        """Run the proxies until the end of the block."""
        async with AsyncExitStack() as stack:
            yield cls(redis, stack)

    @property
    def proxies(self) -> list[TcpProxy]:
        """Return the proxies of all known servers."""
        return list(self._proxies.values())

    async def refresh_slots(self) -> None:
        """Refresh the slots, and start a proxy for each new server."""
        await self._redis.refresh_slots()
        for group in range(16):
            server = self._redis.server_of(b"{%d}" % group)
            if server not in self._proxies:
                proxy = await self._stack.enter_async_context(TcpProxy.to(server.path or server.port))
                self._proxies[server] = proxy

    def reconnect(self) -> None:
        """Count the call."""
        self.renewals += 1

    def server_of(self, name: bytes) -> tuple[Hashable, int]:
        """Return the server of a key or channel."""
        return self._redis.server_of(name), self.generation

    async def subscriber(self, server: tuple[Hashable, int], listener: MessageListener) -> Subscriber:
        """Open a connection to a server's proxy."""
        address = RedisAddress(host="127.0.0.1", port=self._proxies[server[0]].port)
        return await open_connection(address, Subscriber(listener, reply_timeout=1), timeout=1)
