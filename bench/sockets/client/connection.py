"""One client's TCP connection: opened, greeted, and then every arrival is handed to whoever holds it."""

from __future__ import annotations

import os
import socket
import struct
from typing import Protocol

from bench.sockets.client.frames import BadServerFrameError
from bench.sockets.client.handshake import Greeting, GreetingError
from bench.sockets.client.reactor import Reactor

_ROOM = 16 * 1024  # bytes taken at once
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection, as a lost network does
_BIND_ADDRESS_NO_PORT = 24  # ip(7): the port is chosen when it is known where to connect


class Holder(Protocol):
    """What is told of its lines."""

    def ready(self, line: Line, greeting: Greeting) -> None:
        """Learn that a line was welcomed; the texts that came besides are in the greeting."""
        ...

    def heard(self, line: Line, data: bytes) -> None:
        """Take what arrived; what is no whole frame yet is kept in `line.rest`."""
        ...

    def ended(self, line: Line, reason: str) -> None:
        """Learn that a line is gone, other than by `close`."""
        ...


class Line:
    """One connection; `number` says which, `count` is the holder's."""

    __slots__ = ("_greeting", "_holder", "_reactor", "_socket", "count", "number", "rest")

    def __init__(self, reactor: Reactor, holder: Holder, number: int) -> None:
        self._reactor = reactor
        self._holder = holder
        self._socket: socket.socket | None = None
        self._greeting: Greeting | None = None
        self.number = number
        self.count = 0
        self.rest = b""

    @property
    def is_open(self) -> bool:
        """Tell whether the connection stands, or is being made."""
        return self._socket is not None

    def open(self, port: int, source: str, greeting: Greeting) -> None:
        """Connect to a loopback port from a loopback address, and greet."""
        self._greeting, self.rest = greeting, b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_IP, _BIND_ADDRESS_NO_PORT, 1)
        self._socket.bind((source, 0))
        self._socket.connect_ex(("127.0.0.1", port))
        self._reactor.when_writable(self._socket.fileno(), self._connected)

    def send(self, data: bytes) -> None:
        """Send a little; raise BlockingIOError for a server that takes nothing."""
        if data and self._socket is not None:
            sent = self._socket.send(data)
            if sent != len(data):
                raise BlockingIOError("the server does not read")

    def close(self) -> None:
        """Reset the connection; the holder is not told."""
        if self._socket is not None:
            self._reactor.forget(self._socket.fileno())
            self._socket.close()
            self._socket, self._greeting = None, None

    def _connected(self) -> None:
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._end(os.strerror(error))
            return
        self._reactor.when_readable(self._socket.fileno(), self._readable)
        assert self._greeting is not None
        self.send(self._greeting.begin())
        self._welcome_if_done(self._greeting)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_ROOM)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(str(error))
            return
        if not data:
            self._end("closed by the server")
        elif self._greeting is None:
            self._holder.heard(self, data)
        else:
            self._greet(self._greeting, data)

    def _greet(self, greeting: Greeting, data: bytes) -> None:
        try:
            self.send(greeting.feed(data))
        except (GreetingError, BadServerFrameError, OSError) as error:
            self._end(f"{type(error).__name__}: {error}")
            return
        self._welcome_if_done(greeting)

    def _welcome_if_done(self, greeting: Greeting) -> None:
        if greeting.done:
            self._greeting, self.rest = None, greeting.rest
            self._holder.ready(self, greeting)

    def _end(self, reason: str) -> None:
        self.close()
        self._holder.ended(self, reason)
