"""One client's TCP connection: connect, handshake, and then pass everything that arrives to its owner."""

from __future__ import annotations

import os
import socket
import struct
from typing import Protocol

from bench.sockets.client.frames import BadServerFrameError
from bench.sockets.client.handshake import Handshake, HandshakeError
from bench.sockets.client.reactor import Reactor

_READ_SIZE = 16 * 1024  # bytes
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection, as a lost network does
_BIND_ADDRESS_NO_PORT = 24  # ip(7): choose the port at connect(2), when the peer is known


class ConnectionOwner(Protocol):
    """Callbacks of a connection."""

    def ready(self, connection: ClientConnection, handshake: Handshake) -> None:
        """Handle a completed handshake; texts that arrived in between are in `handshake.others`."""
        ...

    def received(self, connection: ClientConnection, data: bytes) -> None:
        """Handle received bytes; an incomplete frame is kept in `connection.rest`."""
        ...

    def closed(self, connection: ClientConnection, reason: str) -> None:
        """Handle the end of a connection that was not ended by `close`."""
        ...


class ClientConnection:
    """One connection, identified by `number`; `count` belongs to the owner."""

    __slots__ = ("_handshake", "_owner", "_reactor", "_socket", "count", "number", "rest")

    def __init__(self, reactor: Reactor, owner: ConnectionOwner, number: int) -> None:
        self._reactor = reactor
        self._owner = owner
        self._socket: socket.socket | None = None
        self._handshake: Handshake | None = None
        self.number = number
        self.count = 0
        self.rest = b""

    @property
    def is_open(self) -> bool:
        """Return whether the connection is open or being opened."""
        return self._socket is not None

    def open(self, port: int, source: str, handshake: Handshake) -> None:
        """Connect to a loopback port from the loopback address `source`, and begin the handshake."""
        self._handshake, self.rest = handshake, b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_IP, _BIND_ADDRESS_NO_PORT, 1)
        self._socket.bind((source, 0))
        self._socket.connect_ex(("127.0.0.1", port))
        self._reactor.when_writable(self._socket.fileno(), self._connected)

    def send(self, data: bytes) -> None:
        """Send a few bytes; raise BlockingIOError when the socket's buffer is full."""
        if data and self._socket is not None:
            sent = self._socket.send(data)
            if sent != len(data):
                raise BlockingIOError("the server does not read")

    def close(self) -> None:
        """Reset the connection; the owner is not called."""
        if self._socket is not None:
            self._reactor.forget(self._socket.fileno())
            self._socket.close()
            self._socket, self._handshake = None, None

    def _connected(self) -> None:
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._fail(os.strerror(error))
            return
        self._reactor.when_readable(self._socket.fileno(), self._readable)
        assert self._handshake is not None
        self.send(self._handshake.begin())
        self._finish_if_done(self._handshake)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(str(error))
            return
        if not data:
            self._fail("closed by the server")
        elif self._handshake is None:
            self._owner.received(self, data)
        else:
            self._continue_handshake(self._handshake, data)

    def _continue_handshake(self, handshake: Handshake, data: bytes) -> None:
        try:
            self.send(handshake.feed(data))
        except (HandshakeError, BadServerFrameError, OSError) as error:
            self._fail(f"{type(error).__name__}: {error}")
            return
        self._finish_if_done(handshake)

    def _finish_if_done(self, handshake: Handshake) -> None:
        if handshake.done:
            self._handshake, self.rest = None, handshake.rest
            self._owner.ready(self, handshake)

    def _fail(self, reason: str) -> None:
        self.close()
        self._owner.closed(self, reason)
