"""Read from very many sockets, a few in each turn of the event loop.

An event loop hands over whatever is ready in one turn. Where a network goes, or comes back, that is thousands of
connections, each with something to do, and nobody else hears anything meanwhile. So the sockets are watched here, by an
epoll(7) of our own, of which the event loop sees one descriptor that is readable for as long as any of them is. The
kernel takes them in turn, so that each has its own. All else is left to the event loop's transports.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import Any

from channels.connection.transport import descriptor_of

_SOCKETS_PER_TURN = 32  # sockets read from in one turn: a millisecond where all of them have gone
_READ_BYTES = 16_384  # bytes read at once


class Poller:
    """Watch the sockets of transports that it has adopted."""

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._transports: dict[int, PolledTransport] = {}

    def adopt(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Let `protocol` have a connection; return what it is to use as transport.

        That is `transport` itself where only that can read: it encrypts, or the system has no epoll.
        """
        number = descriptor_of(transport)
        if number < 0 or not hasattr(select, "epoll"):
            transport.set_protocol(protocol)
            return transport
        polled = self._transports[number] = PolledTransport(self, transport, protocol, number)
        transport.pause_reading()
        transport.set_protocol(polled)
        self.watch(number)
        return polled

    def watch(self, number: int) -> None:
        """Read from a socket from now on."""
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._poll)
        self._epoll.register(number, select.EPOLLIN)

    def unwatch(self, number: int) -> None:
        """Let what arrives at a socket wait."""
        if self._epoll is not None:
            self._epoll.unregister(number)

    def remove(self, number: int) -> None:
        """Let go of a socket, which is not watched any more."""
        del self._transports[number]
        if not self._transports and self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _poll(self) -> None:
        if self._epoll is None:
            return
        for number, _ in self._epoll.poll(0, _SOCKETS_PER_TURN):
            self._transports[number].readable()


class PolledTransport(asyncio.Transport, asyncio.Protocol):
    """A transport whose socket the poller reads; to the transport within it is the protocol."""

    __slots__ = ("_inner", "_number", "_poller", "_protocol", "_reading")

    def __init__(self, poller: Poller, inner: asyncio.Transport, protocol: asyncio.Protocol, number: int) -> None:
        self._poller = poller
        self._inner = inner
        self._protocol = protocol
        self._number = number
        self._reading = True

    def readable(self) -> None:
        """Hand on what has arrived, or that the peer has ended its side; a connection that is broken is dropped."""
        if not self._reading:  # what another one has heard in this turn ended this one
            return
        try:
            data = os.read(self._number, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        try:
            if data:
                self._protocol.data_received(data)
                return
            self.pause_reading()
            if not self._protocol.eof_received():
                self.close()
        except BaseException:
            self.abort()
            raise

    def pause_reading(self) -> None:
        """Let what the peer sends wait."""
        if self._reading:
            self._reading = False
            self._poller.unwatch(self._number)

    def resume_reading(self) -> None:
        """Take what the peer sends."""
        if not self._reading and not self._inner.is_closing():
            self._reading = True
            self._poller.watch(self._number)

    def is_reading(self) -> bool:
        """Tell whether what the peer sends is taken."""
        return self._reading

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or keep what the peer does not take at once."""
        self._inner.write(data)

    def get_write_buffer_size(self) -> int:
        """Return the bytes kept."""
        return self._inner.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bound the bytes kept."""
        self._inner.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport within knows."""
        return self._inner.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Tell whether writing is over."""
        return self._inner.is_closing()

    def close(self) -> None:
        """End the connection once what is kept was taken."""
        self.pause_reading()
        self._inner.close()

    def abort(self) -> None:
        """Drop the connection and what is kept."""
        self.pause_reading()
        self._inner.abort()

    def pause_writing(self) -> None:
        """Pass the news on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass the news on."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the socket go before it is closed, since its number is given to another one then."""
        self.pause_reading()
        self._poller.remove(self._number)
        self._protocol.connection_lost(exc)
