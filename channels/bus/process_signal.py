"""A signal between processes over pub/sub, without content: something has happened that is worth a look."""

from __future__ import annotations

from collections.abc import Callable

from channels.bus.pubsub import PubSub
from channels.bus.redis_client import RedisClient, publish

_DEADLINE = 15.0  # seconds of silence after which the connection counts as lost


class Signal:
    """A signal with a name; one that is sent while a process is not connected does not reach it."""

    def __init__(self, redis: RedisClient, name: bytes) -> None:
        self._redis = redis
        self._channel = b"signal:" + name

    async def send(self) -> None:
        """Send the signal to all processes that receive it; raise the driver's errors."""
        await publish(self._redis, self._channel, b"")

    async def receive(self, received: Callable[[], None]) -> None:
        """Call `received` for each signal until cancelled, and after each connection: one may have been missed."""
        listener = _Listener(received)
        await PubSub(self._redis, [self._channel], listener, has_subscribers=lambda _: False, deadline=_DEADLINE).run()


class _Listener:
    """Calls a function for each message."""

    def __init__(self, received: Callable[[], None]) -> None:
        self._received = received

    def message(self, _channel: bytes, _data: bytes, *, more: bool) -> None:  # noqa: ARG002 - the protocol's name
        """Pass a signal on."""
        self._received()

    def lost(self) -> None:
        """Do nothing: the next connection counts as a signal."""

    def restored(self) -> None:
        """Count the connection as a signal."""
        self._received()
