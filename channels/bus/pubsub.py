"""This process's ear: one Redis pub/sub connection that notices its own death.

The driver's own pub/sub object is not used: it connects again in silence, which would be a gap that
nobody hears of, and it never notices a peer that swallows packets. Here the connection is pinged, a
peer that is silent for the deadline is given up, and the listener is told of every loss and of every
connection that stands again, so that streams can be read again by their offsets.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from channels.cancellation import heed_cancellation
from channels.errors import LiveUnavailableError

log = structlog.get_logger(__name__)

_BURST = 64  # messages handled in one go before the event loop gets its turn
_BACKOFF = (0.05, 2.0)  # seconds, first and longest


class Listener(Protocol):
    """What hears the messages; every method returns at once."""

    def message(self, channel: bytes, data: bytes) -> None:
        """Handle one message."""
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

    `wanted` tells whether a topic still has listeners; one that has none is dropped at the next ping.
    After a loss all topics are forgotten: who listens to one has to subscribe again.
    """

    def __init__(
        self,
        redis: Redis,
        channels: Sequence[bytes],
        listener: Listener,
        *,
        wanted: Callable[[bytes], bool],
        deadline: float,
    ) -> None:
        self._redis = redis
        self._channels = channels
        self._listener = listener
        self._wanted = wanted
        self._deadline = deadline
        self._topics: dict[bytes, _Topic] = {}
        self._connection: Any = None
        self.alive = False

    async def run(self) -> None:
        """Listen until cancelled; connect again for as long as it takes."""
        delay = _BACKOFF[0]
        while True:
            heed_cancellation()
            try:
                await self._live()
            except (RedisError, OSError, TimeoutError) as error:
                # A connection that stood starts the backoff anew; one that never did goes on with it.
                delay = _BACKOFF[0] if self._lose() else min(delay * 2, _BACKOFF[1])
                log.warning("live_pubsub_lost", error=str(error) or type(error).__name__, retry_seconds=delay)
                await self._drop_idle()
            finally:
                self._lose()
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    async def _drop_idle(self) -> None:
        # What lies idle in the driver's pool is most likely dead, too. If it is not told of its end, each of these
        # connections would cost a command its timeout, one after the other, before streams could be read again.
        with suppress(RedisError, OSError, TimeoutError):
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    @asynccontextmanager
    async def listening(self, topic: bytes) -> AsyncIterator[None]:
        """Make sure that a topic is listened to, and stays so inside; raise `LiveUnavailableError`."""
        entry = self._topics.get(topic)
        fresh = entry is None
        if entry is None:
            if not self.alive:
                raise LiveUnavailableError("pub/sub is not connected")
            entry = self._topics[topic] = _Topic()
        entry.users += 1
        try:
            if fresh:
                await self._send("SUBSCRIBE", topic)
            # Shielded, since others may wait for the same confirmation.
            await asyncio.shield(entry.confirmed)
            yield
        finally:
            entry.users -= 1

    async def _live(self) -> None:
        # A connection of our own, outside the pool: it never goes back there.
        connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call,unused-ignore]
        try:
            async with asyncio.timeout(self._deadline):
                await connection.connect()
                await connection.send_command("SUBSCRIBE", *self._channels, check_health=False)
                for _ in self._channels:
                    await self._read(connection)
            heed_cancellation()
            self._connection, self.alive = connection, True
            self._listener.restored()
            await self._listen(connection)
        finally:
            await connection.disconnect(nowait=True)

    async def _listen(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        pinging = asyncio.create_task(self._ping())
        heard, burst = loop.time(), 0
        try:
            async with asyncio.timeout(self._deadline) as silence:
                while True:
                    response = await self._read(connection)
                    now = loop.time()
                    if now - heard > self._deadline / 20:
                        heard, burst = now, 0
                        silence.reschedule(now + self._deadline)
                    self._dispatch(response)
                    burst += 1
                    if burst % _BURST == 0:
                        await asyncio.sleep(0)
        finally:
            pinging.cancel()
            # A ping that could not be sent is no news: the reader meets the same end.
            with suppress(asyncio.CancelledError, LiveUnavailableError):
                await pinging

    async def _ping(self) -> None:
        while True:
            heed_cancellation()
            await asyncio.sleep(self._deadline / 2.5)
            await self._send("PING")
            idle = [name for name, topic in self._topics.items() if not topic.users and topic.confirmed.done()]
            unwanted = [name for name in idle if not self._wanted(name)]
            for name in unwanted:
                del self._topics[name]
            if unwanted:
                await self._send("UNSUBSCRIBE", *unwanted)

    async def _send(self, *command: Any) -> None:
        # The driver would connect again by itself if it were asked to send on a connection that is gone.
        connection = self._connection
        if connection is None or not connection.is_connected:
            raise LiveUnavailableError("pub/sub is not connected")
        try:
            await connection.send_command(*command, check_health=False)
        except (RedisError, OSError) as error:
            raise LiveUnavailableError(f"pub/sub broke: {error}") from error

    @staticmethod
    async def _read(connection: Any) -> Any:
        return await connection.read_response(timeout=math.inf, push_request=True)

    def _dispatch(self, response: Any) -> None:
        if not isinstance(response, list) or len(response) < 3:
            return
        kind, channel, data = response[0], response[1], response[2]
        if kind == b"message":
            self._listener.message(channel, data)
        elif kind == b"subscribe":
            topic = self._topics.get(channel)
            if topic is not None and not topic.confirmed.done():
                topic.confirmed.set_result(None)

    def _lose(self) -> bool:
        """Forget the connection and tell of the loss, once; return whether there was one to lose."""
        if not self.alive:
            return False
        self.alive, self._connection = False, None
        topics, self._topics = self._topics, {}
        for topic in topics.values():
            if not topic.confirmed.done():
                topic.confirmed.set_exception(LiveUnavailableError("pub/sub was lost"))
                topic.confirmed.exception()  # somebody may have stopped waiting
        self._listener.lost()
        return True
