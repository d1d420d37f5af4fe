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


class Heard(Protocol):
    """What is given each message with its channel; returns at once."""

    def __call__(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Handle one message; with `more`, another one follows at once."""
        ...


class PubSubConnection:
    """A connection to a server; `deadline` is the longest silence, in seconds, and has to be broken by `ping`.

    `subscribed` is given each channel that the server confirms. The methods raise the driver's errors, OSError or
    TimeoutError when the connection is lost.
    """

    def __init__(self, heard: Heard, subscribed: Callable[[bytes], None], *, deadline: float) -> None:
        self._heard = heard
        self._subscribed = subscribed
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._words = PLAIN
        self._subscriber: Subscriber | None = None
        self._missing: set[bytes] = set()
        self._complete: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[Exception] = self._loop.create_future()
        self._heard_at = self._loop.time()
        self._given_up: Counter[bytes] = Counter()

    async def open(self, engine: RedisClient, server: Any, channels: Sequence[bytes]) -> None:
        """Connect and listen to channels; return when the server has confirmed each."""
        self._words = SHARDED if engine.sharded else PLAIN
        self._missing = set(channels)
        self._subscriber = await engine.subscriber(server, self)
        for channel in channels:
            self.subscribe(channel)
        while self._missing:
            await asyncio.wait((self._complete, self._ended), return_when=asyncio.FIRST_COMPLETED)
            self._raise_if_ended()

    def subscribe(self, channel: bytes) -> None:
        """Ask to hear a channel; each by itself, since on a cluster they have different slots."""
        self._say(self._words.subscribe, channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Ask to hear a channel no more."""
        self._given_up[channel] += 1
        self._say(self._words.unsubscribe, channel)

    def ping(self) -> None:
        """Have the server say something."""
        self._say("PING")

    async def listen(self) -> None:
        """Let messages be handed on until the connection is lost; raise why."""
        while True:
            silence = self._heard_at + self._deadline - self._loop.time()
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
        self._heard_at = self._loop.time()
        if not isinstance(message, list) or len(message) < 3:
            if isinstance(message, Exception):
                self.connection_lost(message)
            return
        kind, channel, data = message
        if kind == self._words.message:
            self._heard(channel, data, more=more)
        elif kind == self._words.subscribed:
            self._confirmed(channel)
        elif kind == self._words.unsubscribed:
            if channel not in self._given_up:
                # A server of a cluster does so when the channel's slot goes to another one.
                self.connection_lost(
                    ConnectionLostError(f"{channel.decode(errors='replace')} has moved to another server")
                )
            self._given_up -= Counter([channel])

    def connection_lost(self, error: Exception) -> None:
        """Learn why the connection has ended."""
        if not self._ended.done():
            self._ended.set_result(error)

    def _confirmed(self, channel: bytes) -> None:
        self._missing.discard(channel)
        if not self._missing and not self._complete.done():
            self._complete.set_result(None)
        self._subscribed(channel)

    def _say(self, *command: str | bytes) -> None:
        if self._subscriber is None:
            raise ConnectionLostError("pub/sub is not connected")
        self._subscriber.send_command(*command)

    def _raise_if_ended(self) -> None:
        if self._ended.done():
            raise self._ended.result()
