"""One pub/sub connection to a server, or to a master of a cluster, that detects its own loss.

The driver's pub/sub object is not used. It reconnects silently, which would hide a gap, and it never detects a peer
that drops packets. Here a peer that is silent for the deadline counts as lost, and so does one that ends a
subscription on its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import ConnectionError as ConnectionLostError

from channels.bus.redis_client import RedisClient, Subscriber


@dataclass(frozen=True, kw_only=True, slots=True)
class PubSubCommands:
    """The commands and message kinds of plain or sharded pub/sub."""

    subscribe: str
    unsubscribe: str
    subscribed: bytes
    unsubscribed: bytes
    message: bytes


PLAIN = PubSubCommands(
    subscribe="SUBSCRIBE",
    unsubscribe="UNSUBSCRIBE",
    subscribed=b"subscribe",
    unsubscribed=b"unsubscribe",
    message=b"message",
)
SHARDED = PubSubCommands(
    subscribe="SSUBSCRIBE",
    unsubscribe="SUNSUBSCRIBE",
    subscribed=b"ssubscribe",
    unsubscribed=b"sunsubscribe",
    message=b"smessage",
)


class MessageHandler(Protocol):
    """Callback for each message; must not block."""

    def __call__(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Handle one message; with `more`, another one follows at once."""
        ...


class PubSubConnection:
    """A pub/sub connection to one server.

    `deadline` is the longest silence in seconds; call `ping` more often than that. `on_subscribed` is called with each
    channel that the server confirms. The methods raise the driver's errors, OSError or TimeoutError when the
    connection is lost.
    """

    def __init__(self, on_message: MessageHandler, on_subscribed: Callable[[bytes], None], *, deadline: float) -> None:
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._commands = PLAIN
        self._subscriber: Subscriber | None = None
        self._missing: set[bytes] = set()  # channels of `open` without a confirmation yet
        self._all_confirmed: asyncio.Future[None] = self._loop.create_future()
        # Holds the reason as a result, not as an exception: nothing may be waiting for it, and asyncio would then log
        # an exception that was never retrieved.
        self._ended: asyncio.Future[Exception] = self._loop.create_future()
        self._last_received = self._loop.time()
        self._unsubscribing: Counter[bytes] = Counter()

    async def open(self, redis: RedisClient, server: Any, channels: Sequence[bytes]) -> None:
        """Connect and subscribe to channels; return when the server has confirmed all of them."""
        self._commands = SHARDED if redis.sharded else PLAIN
        self._missing = set(channels)
        self._subscriber = await redis.subscriber(server, self)
        for channel in channels:
            self.subscribe(channel)
        if channels:
            await asyncio.wait((self._all_confirmed, self._ended), return_when=asyncio.FIRST_COMPLETED)
            self._raise_if_ended()

    def subscribe(self, channel: bytes) -> None:
        """Subscribe to a channel; one per command, since a cluster's channels have different slots."""
        self._send(self._commands.subscribe, channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Unsubscribe from a channel."""
        self._unsubscribing[channel] += 1
        self._send(self._commands.unsubscribe, channel)

    def ping(self) -> None:
        """Make the server reply, which breaks the silence."""
        self._send("PING")

    async def listen(self) -> None:
        """Wait until the connection is lost, and raise the reason; messages go to the callback meanwhile."""
        # Waits for the rest of the deadline and measures again, which saves setting a timer with each message.
        while True:
            silence = self._last_received + self._deadline - self._loop.time()
            if silence <= 0:
                raise TimeoutError(f"Redis was silent for {self._deadline:g} seconds")
            await asyncio.wait((self._ended,), timeout=silence)
            self._raise_if_ended()

    async def close(self) -> None:
        """Close the connection, if it was opened."""
        if self._subscriber is not None:
            await self._subscriber.close()

    def message_received(self, message: Any, *, more: bool) -> None:
        """Handle a message, a reply or an error of the server."""
        self._last_received = self._loop.time()
        # Replies to PING are shorter lists, and need no handling beyond the time above.
        if not isinstance(message, list) or len(message) < 3:
            # An error reply means that a subscribe was rejected: its channel would be missing without notice.
            if isinstance(message, Exception):
                self.connection_lost(message)
            return
        kind, channel, data = message
        if kind == self._commands.message:
            self._on_message(channel, data, more=more)
        elif kind == self._commands.subscribed:
            self._confirmed(channel)
        elif kind == self._commands.unsubscribed:
            if channel not in self._unsubscribing:
                # A cluster's server ends a subscription by itself when the channel's slot moves to another server.
                self.connection_lost(
                    ConnectionLostError(f"{channel.decode(errors='replace')} has moved to another server")
                )
            # Counted, not a set: a channel can be given up, subscribed and given up again before the first reply.
            self._unsubscribing -= Counter([channel])

    def connection_lost(self, error: Exception) -> None:
        """Record why the connection has ended."""
        if not self._ended.done():
            self._ended.set_result(error)

    def _confirmed(self, channel: bytes) -> None:
        self._missing.discard(channel)
        if not self._missing and not self._all_confirmed.done():
            self._all_confirmed.set_result(None)
        self._on_subscribed(channel)

    def _send(self, *command: str | bytes) -> None:
        if self._subscriber is None:
            raise ConnectionLostError("pub/sub is not connected")
        self._subscriber.send_command(*command)

    def _raise_if_ended(self) -> None:
        if self._ended.done():
            raise self._ended.result()
