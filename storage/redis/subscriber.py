"""A connection to Redis that hears what is published, and notices its own end but never hides it."""

from __future__ import annotations

from typing import Any, Protocol

import hiredis
import redis.exceptions as driver

from storage.redis.connection import RedisConnection, pack

_SLICE = 0.005  # seconds for which messages are handed on before the event loop has its turn


class MessageListener(Protocol):
    """What is told of messages; every method returns at once."""

    def message_received(self, message: Any, *, more: bool) -> None:
        """Take what the server said; with `more`, it said something else that follows at once."""
        ...

    def connection_lost(self, error: Exception) -> None:
        """Learn that nothing is heard any more, and why; told once, last."""
        ...


class Subscriber(RedisConnection):
    """Hand on whatever the server says once it was greeted; a flood of it lets the event loop have its turns.

    `greeting_timeout` is how many seconds an answer to the greeting may take. Afterwards silence is up to `listener`.
    """

    def __init__(self, listener: MessageListener, *, greeting_timeout: float) -> None:
        super().__init__(greeting_timeout)
        self._listener = listener
        self._next: Any = False  # what was read already; False stands for nothing, as the reader has it

    def send_command(self, *command: bytes | str | int) -> None:
        """Send a command whose answer is heard like a message; raise the driver's `ConnectionError` after the end."""
        if self.lost:
            raise driver.ConnectionError("pub/sub is not connected")
        self._write(pack(*command))

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what has arrived whole."""
        if self._waiting:
            super().buffer_updated(nbytes)
            return
        self._feed(nbytes)
        self._hand_on()

    def give_up(self, error: driver.RedisError) -> None:
        """Close the connection; whoever listens is told why, once."""
        was_lost = self.lost
        super().give_up(error)
        if not was_lost:
            self._listener.connection_lost(error)

    def _hand_on(self) -> None:
        try:
            message = self._next or self._reader.gets()
            until = self._loop.time() + _SLICE
            while message is not False and not self.lost:
                following = self._reader.gets()
                self._listener.message_received(message, more=following is not False)
                message = following
                if message is not False and self._loop.time() > until:
                    self._rest(message)
                    return
            self._go_on()
        except hiredis.ProtocolError as error:
            self.give_up(driver.InvalidResponse(f"unreadable answer: {error}"))
        except Exception:
            # What came with it is lost, and whoever listens has to know.
            self.give_up(driver.ConnectionError("a message could not be handled"))
            raise

    def _rest(self, message: Any) -> None:
        if self._next is False and self._transport is not None:
            self._transport.pause_reading()
        self._next = message
        self._loop.call_soon(self._hand_on)

    def _go_on(self) -> None:
        if self._next is not False and self._transport is not None and not self.lost:
            self._transport.resume_reading()
        self._next = False
