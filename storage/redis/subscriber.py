"""A connection for pub/sub: it reports its end to the listener and never reconnects by itself."""

from __future__ import annotations

from typing import Any, Protocol

import hiredis
import redis.exceptions as driver

from storage.redis.connection import RedisConnection, encode_command

_SLICE = 0.005  # seconds of messages handled before other tasks of the event loop get a turn


class MessageListener(Protocol):
    """Receiver of a connection's messages; every method returns at once."""

    def message_received(self, message: Any, *, more: bool) -> None:
        """Handle one message or reply of the server; with `more`, another one follows at once."""
        ...

    def connection_lost(self, error: Exception) -> None:
        """Handle the end of the connection; called once, last."""
        ...


class Subscriber(RedisConnection):
    """Connection that passes everything the server sends after the handshake to a listener.

    `reply_timeout` applies to the handshake only. Afterwards silence is normal, and the listener decides how long it
    may last.
    """

    def __init__(self, listener: MessageListener, *, reply_timeout: float) -> None:
        super().__init__(reply_timeout)
        self._listener = listener
        # A parsed message that waits for the next turn. False means none, as in hiredis: None is a valid message.
        self._deferred: Any = False

    def send_command(self, *command: bytes | str | int) -> None:
        """Send a command, whose reply reaches the listener as a message; raise `ConnectionError` after the end."""
        if self.lost:
            raise driver.ConnectionError("pub/sub is not connected")
        self._write(encode_command(*command))

    def buffer_updated(self, nbytes: int) -> None:
        """Pass complete messages on."""
        # Commands sent with `send` are those of the handshake; their replies are not messages.
        if self._waiting:
            super().buffer_updated(nbytes)
            return
        self._feed(nbytes)
        self._deliver()

    def give_up(self, error: driver.RedisError) -> None:
        """Close the connection and report the reason to the listener, once."""
        was_lost = self.lost
        super().give_up(error)
        if not was_lost:
            self._listener.connection_lost(error)

    def _deliver(self) -> None:
        try:
            message = self._deferred if self._deferred is not False else self._reader.gets()
            until = self._loop.time() + _SLICE
            while message is not False and not self.lost:
                # One message is read ahead, so that the listener knows whether it may write now or gather more first.
                following = self._reader.gets()
                self._listener.message_received(message, more=following is not False)
                message = following
                if message is not False and self._loop.time() > until:
                    self._defer(message)
                    return
            self._resume()
        except hiredis.ProtocolError as error:
            self.give_up(driver.InvalidResponse(f"unreadable answer: {error}"))
        except Exception:
            # The messages parsed so far are lost. The listener must know, because it then recovers from the logs.
            self.give_up(driver.ConnectionError("a message could not be handled"))
            raise

    def _defer(self, message: Any) -> None:
        # Reading is paused meanwhile: otherwise a flood fills the parser's buffer without a bound.
        if self._deferred is False and self._transport is not None:
            self._transport.pause_reading()
        self._deferred = message
        self._loop.call_soon(self._deliver)

    def _resume(self) -> None:
        if self._deferred is not False and self._transport is not None and not self.lost:
            self._transport.resume_reading()
        self._deferred = False
