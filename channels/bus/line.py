"""One pub/sub connection, to a server or to a master of a cluster, that notices its own death.

The driver's own pub/sub object is not used: it connects again in silence, which would be a gap that
nobody hears of, and it never notices a peer that swallows packets. Here a peer that is silent for the
deadline is given up, and so is one that takes a channel away.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ConnectionError as ConnectionLostError

_BURST = 64  # messages handled in one go before the event loop gets its turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The commands and the kinds of messages of one sort of pub/sub."""

    subscribe: str
    unsubscribe: str
    subscribed: bytes
    unsubscribed: bytes
    message: bytes


PLAIN = Words(
    subscribe="SUBSCRIBE",
    unsubscribe="UNSUBSCRIBE",
    subscribed=b"subscribe",
    unsubscribed=b"unsubscribe",
    message=b"message",
)
SHARDED = Words(
    subscribe="SSUBSCRIBE",
    unsubscribe="SUNSUBSCRIBE",
    subscribed=b"ssubscribe",
    unsubscribed=b"sunsubscribe",
    message=b"smessage",
)


class Line:
    """A connection of the driver; `deadline` is the longest silence, in seconds, and has to be broken by `ping`.

    `heard` is given each message with its channel, `subscribed` each channel that the server confirms. The methods
    raise the driver's errors, OSError or TimeoutError when the connection is lost.
    """

    def __init__(
        self,
        connection: Any,
        words: Words,
        *,
        heard: Callable[[bytes, bytes], None],
        subscribed: Callable[[bytes], None],
        deadline: float,
    ) -> None:
        self._connection = connection
        self._words = words
        self._heard = heard
        self._subscribed = subscribed
        self._deadline = deadline
        self._given_up: Counter[bytes] = Counter()

    async def open(self, channels: Sequence[bytes]) -> None:
        """Connect and listen to channels; return when the server has confirmed each."""
        with _closed_is_lost():
            await self._connection.connect()
        for channel in channels:
            await self.subscribe(channel)
        missing = set(channels)
        while missing:
            response = await self._read()
            self._handle(response)
            if response[0] == self._words.subscribed:
                missing.discard(response[1])

    async def subscribe(self, channel: bytes) -> None:
        """Ask to hear a channel; each by itself, since on a cluster they have different slots."""
        await self._send(self._words.subscribe, channel)

    async def unsubscribe(self, channel: bytes) -> None:
        """Ask to hear a channel no more."""
        self._given_up[channel] += 1
        await self._send(self._words.unsubscribe, channel)

    async def ping(self) -> None:
        """Have the server say something."""
        await self._send("PING")

    async def listen(self) -> None:
        """Hand on what arrives, until the connection is lost."""
        loop = asyncio.get_running_loop()
        heard, burst = loop.time(), 0
        async with asyncio.timeout(self._deadline) as silence:
            while True:
                response = await self._read()
                now = loop.time()
                if now - heard > self._deadline / 20:
                    heard, burst = now, 0
                    silence.reschedule(now + self._deadline)
                self._handle(response)
                burst += 1
                if burst % _BURST == 0:
                    await asyncio.sleep(0)

    async def close(self) -> None:
        """Close the connection, which never goes back into a pool."""
        await self._connection.disconnect(nowait=True)

    async def _send(self, *command: str | bytes) -> None:
        # The driver would connect again by itself if it were asked to send on a connection that is gone.
        if not self._connection.is_connected:
            raise ConnectionLostError("pub/sub is not connected")
        with _closed_is_lost():
            await self._connection.send_command(*command, check_health=False)

    async def _read(self) -> Any:
        return await self._connection.read_response(timeout=math.inf, push_request=True)

    def _handle(self, response: Any) -> None:
        if not isinstance(response, list) or len(response) < 3:
            return
        kind, channel, data = response[0], response[1], response[2]
        if kind == self._words.message:
            self._heard(channel, data)
        elif kind == self._words.subscribed:
            self._subscribed(channel)
        elif kind == self._words.unsubscribed:
            if channel not in self._given_up:
                # A server of a cluster does so when the channel's slot goes to another one.
                raise ConnectionLostError(f"{channel.decode(errors='replace')} has moved to another server")
            self._given_up -= Counter([channel])


@contextmanager
def _closed_is_lost() -> Iterator[None]:
    """Raise `ConnectionLostError` where uvloop refuses to write: the server went while the driver greeted it."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionLostError(f"the connection was closed: {error}") from error
