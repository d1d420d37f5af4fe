"""One pub/sub connection, to a server or to a master of a cluster, that notices its own death.

The driver's own pub/sub object is not used: it connects again in silence, which would be a gap that
nobody hears of, and it never notices a peer that swallows packets. Here a peer that is silent for the
deadline is given up, and so is one that takes a channel away.
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
    """The commands and the kinds of messages of one sort of pub/sub."""

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
    """What is given each message with its channel; returns at once."""

    def __call__(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Handle one message; with `more`, another one follows at once."""
        ...


class PubSubConnection:
    """A connection to a server; `deadline` is the longest silence, in seconds, and has to be broken by `ping`.

    `subscribed` is given each channel that the server confirms. The methods raise the driver's errors, OSError or
    TimeoutError when the connection is lost.
    """

    def __init__(self, on_message: MessageHandler, on_subscribed: Callable[[bytes], None], *, deadline: float) -> None:
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._commands = PLAIN
        self._subscriber: Subscriber | None = None
        self._missing: set[bytes] = set()
        self._all_confirmed: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[Exception] = self._loop.create_future()
        self._last_received = self._loop.time()
        self._unsubscribing: Counter[bytes] = Counter()

    async def open(self, redis: RedisClient, server: Any, channels: Sequence[bytes]) -> None:
        """Connect and listen to channels; return when the server has confirmed each."""
        self._commands = SHARDED if redis.sharded else PLAIN
        self._missing = set(channels)
        self._subscriber = await redis.subscriber(server, self)
        for channel in channels:
            self.subscribe(channel)
        while self._missing:
            await asyncio.wait((self._all_confirmed, self._ended), return_when=asyncio.FIRST_COMPLETED)
            self._raise_if_ended()

    def subscribe(self, channel: bytes) -> None:
        """Ask to hear a channel; each by itself, since on a cluster they have different slots."""
        self._send(self._commands.subscribe, channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Ask to hear a channel no more."""
        self._unsubscribing[channel] += 1
        self._send(self._commands.unsubscribe, channel)

    def ping(self) -> None:
        """Have the server say something."""
        self._send("PING")

    async def listen(self) -> None:
        """Let messages be handed on until the connection is lost; raise why."""
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
        """Handle what the server says."""
        self._last_received = self._loop.time()
        if not isinstance(message, list) or len(message) < 3:
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
                # A server of a cluster does so when the channel's slot goes to another one.
                self.connection_lost(
                    ConnectionLostError(f"{channel.decode(errors='replace')} has moved to another server")
                )
            self._unsubscribing -= Counter([channel])

    def connection_lost(self, error: Exception) -> None:
        """Learn why the connection has ended."""
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
