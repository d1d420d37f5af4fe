"""Acceptor: accepts a few connections per turn of the event loop, so that a burst does not delay established ones.

The event loop's own server accepts every waiting connection in one go. When ten thousand clients reconnect at once,
that takes a second in which nothing is delivered. Here each turn of the loop accepts a few, and all other work gets
its turn in between; the rest waits in the kernel's queue at no cost.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

AT_ONCE = 8  # connections per turn of the event loop: two or three milliseconds of work
BACKLOG = 4096  # connections in the kernel's queue, if net.core.somaxconn allows as many
_FIRST_BYTES_WAIT = 1  # seconds that the kernel waits for a connection's first bytes before it is accepted anyway
_PAUSE = 0.1  # seconds before the next attempt if the process can open no more files
_HANDSHAKE_DEADLINE = 10.0  # seconds for the handshake of TLS
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts connections of one listening socket for a protocol factory, from `open` to `close`.

    `tls` returns the context of each new connection; while it returns None, connections are closed at once. Each turn
    of the event loop accepts up to `at_once` connections.
    """

    def __init__(
        self,
        listener: socket.socket,
        factory: Callable[[], asyncio.BaseProtocol],
        tls: Callable[[], ssl.SSLContext | None] | None = None,
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        self._listener = listener
        self._factory = factory
        self._tls = tls
        self._at_once = at_once
        self._connecting: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._open = False

    def open(self) -> None:
        """Start accepting; raise `OSError` if another process listens on the address by now."""
        # The request is what costs time, not the connection. If connections were accepted before they send one, many
        # requests could still arrive in the same turn, so the kernel holds them back (tcp(7); Linux only).
        self._defer(_FIRST_BYTES_WAIT)
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)
        self._open = True
        self._resume()

    @property
    def connecting(self) -> bool:
        """Whether an accepted connection has not reached its protocol yet."""
        return bool(self._connecting)

    def accept_silent(self) -> None:
        """Accept connections before they send anything, from now on; call this a moment before `close`.

        A client whose connection the kernel holds back would be cut off, although it is connected as far as it knows.
        """
        self._defer(0)

    def close(self) -> None:
        """Stop accepting and close the listener; accepted connections stay open.

        Connections that wait in the kernel's queue are accepted first: it would reset them, though a client may have
        sent a request already, and a load balancer does not send some of these again.
        """
        asyncio.get_running_loop().remove_reader(self._listener)
        if self._paused is not None:
            self._paused.cancel()
        else:
            for _ in range(BACKLOG):
                if not self._accept_one():
                    break
        self._open = False
        self._listener.close()

    def _defer(self, seconds: int) -> None:
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)

    def _resume(self) -> None:
        self._paused = None
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(self._at_once):
            try:
                if not self._open or not self._accept_one():
                    return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                # The listener stays readable, so without a pause the loop would spin until a file is closed.
                log.warning("accept_paused", error=str(error), retry_seconds=_PAUSE)
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._listener)
                self._paused = loop.call_later(_PAUSE, self._resume)
                return

    def _accept_one(self) -> bool:
        """Accept one waiting connection; return False if there is none."""
        try:
            connection, _address = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        connection.setblocking(False)
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(self._connect(connection))
        # The loop holds only a weak reference to a task.
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return True

    async def _connect(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(self._factory, connection)
            elif (context := self._tls()) is not None:
                await loop.connect_accepted_socket(
                    self._factory, connection, ssl=context, ssl_handshake_timeout=_HANDSHAKE_DEADLINE
                )
            else:
                connection.close()
        except OSError as error:
            log.debug("accept_failed", error=str(error))
            connection.close()
