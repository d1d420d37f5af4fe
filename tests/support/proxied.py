"""An engine whose pub/sub connections can be cut or frozen, each server's by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager

from storage.redis.client import Redis
from storage.redis.connection import RedisAddress, dial
from storage.redis.subscriber import MessageListener, Subscriber
from tests.support.tcp_proxy import TcpProxy


class Proxied:
    """Connect to each server of an engine through a proxy; commands go straight there."""

    def __init__(self, redis: Redis, proxies: AsyncExitStack) -> None:
        self._redis = redis
        self._stack = proxies
        self._proxies: dict[Hashable, TcpProxy] = {}
        self.sharded: bool = redis.sharded
        self.execute_command = redis.execute_command
        self.renewals = 0
        self.generation = 0  # with another number all servers count as others

    @classmethod
    @asynccontextmanager
    async def of(cls, redis: Redis) -> AsyncIterator[Proxied]:
        """Stand between an engine and the caller for the time of the block."""
        async with AsyncExitStack() as stack:
            yield cls(redis, stack)

    @property
    def proxies(self) -> list[TcpProxy]:
        """Return the proxies of the servers to which there were connections."""
        return list(self._proxies.values())

    async def refresh_slots(self) -> None:
        """Learn where the servers are, and stand before each."""
        await self._redis.refresh_slots()
        for group in range(16):
            server = self._redis.server_of(b"{%d}" % group)
            if server not in self._proxies:
                proxy = await self._stack.enter_async_context(TcpProxy.to(server.path or server.port))
                self._proxies[server] = proxy

    def reconnect(self) -> None:
        """Count."""
        self.renewals += 1

    def server_of(self, name: bytes) -> tuple[Hashable, int]:
        """Return the server of a key or channel."""
        return self._redis.server_of(name), self.generation

    async def subscriber(self, server: tuple[Hashable, int], listener: MessageListener) -> Subscriber:
        """Open a connection to a server's proxy."""
        address = RedisAddress(host="127.0.0.1", port=self._proxies[server[0]].port)
        return await dial(address, Subscriber(listener, greeting_timeout=1), timeout=1)
