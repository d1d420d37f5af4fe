"""Let connections in a few at a time, so that those who are in are not kept waiting by those who come.

The event loop's own server accepts whatever waits in one go. When ten thousand clients come back at once, that is a
second in which nobody hears anything. Here each turn of the loop lets in a few, and everything else has its turn in
between; the rest waits in the kernel's queue, which costs nothing. There a connection also waits for its first bytes
(TCP_DEFER_ACCEPT, tcp(7); Linux only): what costs is the request, and of many that were let in before they asked, all
might ask in the same turn.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

AT_ONCE = 8  # connections let in in one turn of the event loop: two or three milliseconds of work
BACKLOG = 4096  # that may wait in the kernel's queue, if it allows so many (net.core.somaxconn)
_SILENCE = 1  # seconds that a connection may wait in that queue for its first bytes; then it is let in without them
_PAUSE = 0.1  # seconds until the next try where the process may open no more files
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accept connections of one listening socket for a protocol factory, from `open` to `close`."""

    def __init__(self, listener: socket.socket, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        self._listener = listener
        self._factory = factory
        self._entering: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._open = False

    def open(self) -> None:
        """Begin; raise `OSError` if somebody else listens there meanwhile."""
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SILENCE)
        self._listener.listen(BACKLOG)
        self._listener.setblocking(False)
        self._open = True
        self._wait()

    def close(self) -> None:
        """Let nobody in any more; who is in stays."""
        self._open = False
        if self._paused is not None:
            self._paused.cancel()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    def _wait(self) -> None:
        self._paused = None
        asyncio.get_running_loop().add_reader(self._listener, self._let_in)

    def _let_in(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(AT_ONCE):
            if not self._open:
                return
            try:
                arrival, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.warning("connections_refused", error=str(error), retry_seconds=_PAUSE)
                loop.remove_reader(self._listener)
                self._paused = loop.call_later(_PAUSE, self._wait)
                return
            arrival.setblocking(False)
            task: asyncio.Task[object] = loop.create_task(self._enter(arrival))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, arrival: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._factory, arrival)
        except OSError as error:
            log.debug("connection_lost_at_the_door", error=str(error))
            arrival.close()
