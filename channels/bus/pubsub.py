"""The pub/sub subscriptions of this process: one connection to each server that owns some of its channels.

With one Redis server that is one connection. In a cluster the channels are sharded, and each is subscribed at the
master that owns its slot. The listener is called on every loss, and again once all connections are subscribed, so that
streams can be read again from their offsets. It is unknown which messages a lost connection would have delivered, so
the loss of one counts as the loss of all.
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
    """Callbacks for messages and losses; none may block."""

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Handle one message; with `more`, another one follows at once."""
        ...

    def lost(self) -> None:
        """Handle a loss: messages may be missed from now on."""
        ...

    def restored(self) -> None:
        """Handle the end of a loss: all messages of the process's channels arrive from now on."""
        ...


class _Topic:
    __slots__ = ("confirmed", "users")

    def __init__(self) -> None:
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.users = 0


class PubSub:
    """Subscriptions to the fixed channels of this process, and to topics on demand.

    `deadline` is the longest silence of a connection in seconds. A topic for which `has_subscribers` returns False is
    unsubscribed at the next ping. A loss ends all topics: their subscribers have to subscribe again.
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
        """Receive messages until cancelled; reconnect after each loss, with backoff."""
        delay = _BACKOFF[0]
        while True:
            try:
                await self._run_connected()
            except (RedisError, OSError, TimeoutError) as error:
                # Losing established connections restarts the backoff; failing to connect continues it.
                delay = _BACKOFF[0] if self._mark_lost() else min(delay * 2, _BACKOFF[1])
                log.warning("live_pubsub_lost", error=str(error) or type(error).__name__, retry_seconds=delay)
                # The connections for commands probably died of the same cause. One that is dead without notice would
                # cost the first command its timeout, and delay the recovery of streams by that.
                self._redis.reconnect()
            finally:
                self._mark_lost()  # also when cancelled
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    @asynccontextmanager
    async def subscription(self, topic: bytes) -> AsyncIterator[None]:
        """Subscribe to a topic, and keep it subscribed inside the block; raise `LiveUnavailableError`."""
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
            # Shielded: a caller that gives up must not cancel the confirmation for others that wait for it.
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
            # In one step, without an await: code that sees `connected` relies on the listener's state.
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
        """Ping at a fixed interval, and unsubscribe from topics without subscribers."""
        while True:
            await asyncio.sleep(self._deadline / 2.5)
            for connection in self._connections.values():
                connection.ping()
            for name in list(self._topics):
                if self._is_idle(name):
                    # In one step: a subscribe from now on finds no entry, and its command follows this one.
                    del self._topics[name]
                    self._connection_of(name).unsubscribe(name)

    async def _watch_slots(self, by_server: ChannelsByServer) -> None:
        """Raise an error when the channels' slots have moved to other masters while the connections are up."""
        # A master that was cut off from its cluster keeps its connections, but writers use its successor. There this
        # process has no subscriptions, and they would take it for dead.
        while True:
            await asyncio.sleep(self._deadline / 2.5)
            with suppress(RedisError, OSError, TimeoutError):  # a lost server is detected by its silence
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
        """Drop the connections and call the listener, once per loss; return whether there were connections."""
        if not self.connected:
            return False
        self.connected, self._connections = False, {}
        topics, self._topics = self._topics, {}
        for topic in topics.values():
            if not topic.confirmed.done():
                topic.confirmed.set_exception(LiveUnavailableError("pub/sub was lost"))
                topic.confirmed.exception()  # marks the error as retrieved, in case all callers have given up
        self._listener.lost()
        return True


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until the first ends; cancel the others, wait for them, and raise the first one's error."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
