"""This process's ear: a pub/sub connection to each server on which its channels lie, heard as one.

On one server that is one connection. On a cluster the channels are sharded: each is heard on the master that owns its
slot. The listener is told of every loss and of every time that all connections stand again, so that streams can be
read again by their offsets. What the loss of one connection held is not known, so it counts as the loss of all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol, TypeAlias

import structlog
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.exceptions import RedisError

from channels.bus.pubsub_connection import PubSubConnection
from channels.bus.redis_client import RedisClient, live_errors
from channels.contract.errors import LiveUnavailableError

log = structlog.get_logger(__name__)

_BACKOFF = (0.05, 2.0)  # seconds, first and longest

ChannelsByServer: TypeAlias = Mapping[Hashable, Sequence[bytes]]  # which of the channels lie on each server


class PubSubListener(Protocol):
    """What hears the messages; every method returns at once."""

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Handle one message; with `more`, another one follows at once."""
        ...

    def lost(self) -> None:
        """Learn that from now on messages may be missed."""
        ...

    def restored(self) -> None:
        """Learn that from now on all messages of the process's channels arrive."""
        ...


class _Topic:
    __slots__ = ("confirmed", "users")

    def __init__(self) -> None:
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.users = 0


class PubSub:
    """Listen to fixed channels and to topics that come and go; `deadline` is the longest silence, in seconds.

    `has_subscribers` tells whether a topic still has listeners; one that has none is dropped at the next ping.
    After a loss all topics are forgotten: who listens to one has to subscribe again.
    """

    def __init__(
        self,
        redis: RedisClient,
        channels: Sequence[bytes],
        listener: PubSubListener,
        *,
        has_subscribers: Callable[[bytes], bool],
        deadline: float,
    ) -> None:
        self._redis = redis
        self._channels = channels
        self._listener = listener
        self._has_subscribers = has_subscribers
        self._deadline = deadline
        self._topics: dict[bytes, _Topic] = {}
        self._connections: Mapping[Hashable, PubSubConnection] = {}
        self.connected = False

    async def run(self) -> None:
        """Listen until cancelled; connect again for as long as it takes."""
        delay = _BACKOFF[0]
        while True:
            try:
                await self._run_connected()
            except (RedisError, OSError, TimeoutError) as error:
                # Connections that stood start the backoff anew; those that never did go on with it.
                delay = _BACKOFF[0] if self._mark_lost() else min(delay * 2, _BACKOFF[1])
                log.warning("live_pubsub_lost", error=str(error) or type(error).__name__, retry_seconds=delay)
                # Whatever befell these connections most likely befell the others. One that was not told of its end
                # would cost the first command its timeout, before streams could be read again.
                self._redis.reconnect()
            finally:
                self._mark_lost()
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    @asynccontextmanager
    async def subscription(self, topic: bytes) -> AsyncIterator[None]:
        """Make sure that a topic is listened to, and stays so inside; raise `LiveUnavailableError`."""
        entry = self._topics.get(topic)
        is_new = entry is None
        with live_errors():
            connection = self._connection_of(topic)
        if entry is None:
            entry = self._topics[topic] = _Topic()
        entry.users += 1
        try:
            if is_new:
                with live_errors():
                    connection.subscribe(topic)
            # Shielded, since others may wait for the same confirmation.
            await asyncio.shield(entry.confirmed)
            yield
        finally:
            entry.users -= 1

    async def _run_connected(self) -> None:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._deadline):
                await self._redis.refresh_slots()
                by_server = self._channels_by_server()
                connections = {server: await self._open(server, by_server[server], stack) for server in by_server}
            self._connections, self.connected = connections, True
            self._listener.restored()
            listening = [connection.listen() for connection in connections.values()]
            await _until_one_ends(*listening, self._housekeeping(), self._watch_slots(by_server))

    async def _open(self, server: Hashable, channels: Sequence[bytes], stack: AsyncExitStack) -> PubSubConnection:
        connection = PubSubConnection(self._listener.message, self._subscribed, deadline=self._deadline)
        stack.push_async_callback(connection.close)
        await connection.open(self._redis, server, channels)
        return connection

    def _subscribed(self, channel: bytes) -> None:
        topic = self._topics.get(channel)
        if topic is not None and not topic.confirmed.done():
            topic.confirmed.set_result(None)

    async def _housekeeping(self) -> None:
        """Break the silence regularly, and give up topics that nobody wants."""
        while True:
            await asyncio.sleep(self._deadline / 2.5)
            for connection in self._connections.values():
                connection.ping()
            for name in list(self._topics):
                if self._is_idle(name):
                    # Forgotten and given up in one go: who wants it from now on subscribes after that.
                    del self._topics[name]
                    self._connection_of(name).unsubscribe(name)

    async def _watch_slots(self, by_server: ChannelsByServer) -> None:
        """Notice when the channels' slots have other masters, though the connections stand.

        So it is with a master that was cut off from the others. Writers take a process for dead that nobody
        hears of on the master that they know.
        """
        while True:
            await asyncio.sleep(self._deadline / 2.5)
            with suppress(RedisError, OSError, TimeoutError):  # a server that is gone is noticed by its silence
                await self._redis.refresh_slots()
            if self._channels_by_server() != by_server:
                raise ConnectionLostError("the channels have moved to other servers")

    def _channels_by_server(self) -> ChannelsByServer:
        by_server: dict[Hashable, list[bytes]] = {}
        for channel in self._channels:
            by_server.setdefault(self._redis.server_of(channel), []).append(channel)
        return by_server

    def _is_idle(self, name: bytes) -> bool:
        topic = self._topics.get(name)
        return topic is not None and not topic.users and topic.confirmed.done() and not self._has_subscribers(name)

    def _connection_of(self, topic: bytes) -> PubSubConnection:
        connection = self._connections.get(self._redis.server_of(topic)) if self.connected else None
        if connection is None:
            raise ConnectionLostError("pub/sub is not connected")
        return connection

    def _mark_lost(self) -> bool:
        """Forget the connections and tell of the loss, once; return whether there were any to lose."""
        if not self.connected:
            return False
        self.connected, self._connections = False, {}
        topics, self._topics = self._topics, {}
        for topic in topics.values():
            if not topic.confirmed.done():
                topic.confirmed.set_exception(LiveUnavailableError("pub/sub was lost"))
                topic.confirmed.exception()  # somebody may have stopped waiting
        self._listener.lost()
        return True


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Do several things until one of them ends; raise what it raised, when the others have ended, too."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
