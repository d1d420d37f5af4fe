"""Reading from thousands of sockets, a few of them in each turn of the event loop.

An event loop processes all ready sockets in one turn. When a network fails or returns, that is thousands of
connections, and everything else waits meanwhile. The sockets of live connections are therefore watched by an epoll(7)
instance of their own. The event loop watches that instance's descriptor, which is readable as long as any socket is.
The kernel returns ready sockets in rotation, so none is starved. Everything but reading is left to the event loop's
transports.

Between the two is a third instance, the gate, which reports only once that sockets are ready until it is opened
again. To remove the sockets' instance from the event loop and add it again would cost a walk over all sockets each
time, since the kernel looks for a cycle.

Most of what arrives are pongs, one by one, and waking the process costs several times what a pong costs. After a turn
with nothing but pongs the sockets are therefore left alone for a few milliseconds, and then read together, as network
cards moderate their interrupts.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import Any

from channels.connection.transport import descriptor_of

_SOCKETS_PER_TURN = 32  # about a millisecond if all of them have to be closed
_READ_BYTES = 16_384  # per read
_PAUSE = 0.005  # seconds after a turn with nothing but pongs: the longest delay of a command behind pongs


class PolledProtocol(asyncio.Protocol):
    """An asyncio protocol that may handle keep-alive messages apart from other data."""

    def keepalive_received(self, data: bytes) -> bool:  # noqa: ARG002 - there is none by default
        """Handle the data if they are a keep-alive message and nothing else; return whether they are."""
        return False


class Poller:
    """Watches the sockets of the transports that it has adopted.

    `pause` is how many seconds they are left alone after a turn with nothing but keep-alive messages.
    """

    def __init__(self, *, pause: float = _PAUSE) -> None:
        self._pause_seconds = pause
        self._epoll: select.epoll | None = None
        self._transports: dict[int, PolledTransport] = {}
        self._gate: select.epoll | None = None
        self._pause: asyncio.TimerHandle | None = None  # runs while the gate is closed

    def adopt(self, transport: asyncio.Transport, protocol: PolledProtocol) -> asyncio.Transport:
        """Give a connection to `protocol`; return the transport that it has to use.

        That is `transport` itself if only it can read: with TLS, or on a system without epoll.
        """
        fd = descriptor_of(transport)
        if fd < 0 or not hasattr(select, "epoll"):
            transport.set_protocol(protocol)
            return transport
        polled = self._transports[fd] = PolledTransport(self, transport, protocol, fd)
        # The event loop must not watch the same socket, or both would read from it.
        transport.pause_reading()
        transport.set_protocol(polled)
        self.watch(fd)
        return polled

    def watch(self, fd: int) -> None:
        """Watch a socket."""
        if self._epoll is None:
            self._epoll, self._gate = select.epoll(), select.epoll()
            self._gate.register(self._epoll.fileno(), select.EPOLLIN | select.EPOLLONESHOT)
            asyncio.get_running_loop().add_reader(self._gate.fileno(), self._gate_reported)
        self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Stop watching a socket; arriving data waits in it."""
        if self._epoll is not None:
            self._epoll.unregister(fd)

    def remove(self, fd: int) -> None:
        """Remove a socket that is not watched any more; close the epoll instances after the last one."""
        del self._transports[fd]
        if not self._transports and self._epoll is not None and self._gate is not None:
            if self._pause is not None:
                self._pause.cancel()
                self._pause = None
            asyncio.get_running_loop().remove_reader(self._gate.fileno())
            self._gate.close()
            self._epoll.close()
            self._epoll = self._gate = None

    def _gate_reported(self) -> None:
        if self._gate is not None:
            self._gate.poll(0)  # takes the report, which closes the gate
            self._poll()

    def _poll(self) -> None:
        self._pause = None
        if self._epoll is None:
            return
        # Level-triggered: a socket with data left is returned again, after the others that are ready.
        ready = self._epoll.poll(0, _SOCKETS_PER_TURN)
        quiet, transports = 0 < len(ready) < _SOCKETS_PER_TURN, self._transports
        try:
            for fd, _ in ready:
                if not transports[fd].readable():
                    quiet = False
        except BaseException:
            quiet = False
            raise
        finally:
            self._poll_again(quiet=quiet)

    def _poll_again(self, *, quiet: bool) -> None:
        if self._epoll is None or self._gate is None:  # the last socket was removed
            return
        if quiet:
            self._pause = asyncio.get_running_loop().call_later(self._pause_seconds, self._poll)
        else:
            self._gate.modify(self._epoll.fileno(), select.EPOLLIN | select.EPOLLONESHOT)


class PolledTransport(asyncio.Transport, asyncio.Protocol):
    """A transport whose socket is read by the poller; for the transport inside it is the protocol."""

    __slots__ = ("_fd", "_inner", "_poller", "_protocol", "_reading")

    def __init__(self, poller: Poller, inner: asyncio.Transport, protocol: PolledProtocol, fd: int) -> None:
        self._poller = poller
        self._inner = inner
        self._protocol = protocol
        self._fd = fd
        self._reading = True

    def readable(self) -> bool:
        """Pass on arrived data or the end of the stream; abort a broken connection.

        Returns whether nothing but a keep-alive message arrived.
        """
        # Handling an earlier socket of the same batch may have paused or closed this one.
        if not self._reading:
            return True
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.abort()
            return False
        try:
            if data:
                if self._protocol.keepalive_received(data):
                    return True
                self._protocol.data_received(data)
                return False
            # A socket at its end stays readable, so it must not be watched any more.
            self.pause_reading()
            if not self._protocol.eof_received():
                self.close()
        except BaseException:
            self.abort()
            raise
        return False

    def pause_reading(self) -> None:
        """Stop reading; the peer's data waits in the socket."""
        if self._reading:
            self._reading = False
            self._poller.unwatch(self._fd)

    def resume_reading(self) -> None:
        """Read again."""
        if not self._reading and not self._inner.is_closing():
            self._reading = True
            self._poller.watch(self._fd)

    def is_reading(self) -> bool:
        """Return whether the socket is read."""
        return self._reading

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, and buffer what the socket does not take at once."""
        self._inner.write(data)

    def get_write_buffer_size(self) -> int:
        """Return the number of buffered bytes."""
        return self._inner.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Limit the buffered bytes."""
        self._inner.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return information of the transport inside."""
        return self._inner.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        return self._inner.is_closing()

    def close(self) -> None:
        """Close once the buffer is written."""
        self.pause_reading()
        self._inner.close()

    def abort(self) -> None:
        """Close at once and drop the buffer."""
        self.pause_reading()
        self._inner.abort()

    def pause_writing(self) -> None:
        """Forward to the protocol."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Forward to the protocol."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the socket and forward the end of the connection."""
        # Before the socket is closed: the kernel may give its descriptor to another one right after that.
        self.pause_reading()
        self._poller.remove(self._fd)
        self._protocol.connection_lost(exc)
