"""The part of `asyncio.Transport` that a live connection uses, and its file descriptor."""

from __future__ import annotations

from typing import Any, Protocol

# Int objects of descriptors, allocated in blocks so that they are adjacent in memory. Scattered ones would cost a
# delivery to thousands of connections a cache miss each.
_numbers: list[int] = []


class Transport(Protocol):
    """The part of `asyncio.Transport` that a connection uses."""

    def write(self, data: bytes) -> None:
        """Send, and buffer what the socket does not take at once."""
        ...

    def get_write_buffer_size(self) -> int:
        """Return the number of buffered bytes."""
        ...

    def get_extra_info(self, name: str, /) -> Any:
        """Return the `socket`, the `sslcontext` of an encrypted transport, or None."""
        ...

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        ...

    def pause_reading(self) -> None:
        """Stop reading; the peer's data waits in the socket."""
        ...

    def resume_reading(self) -> None:
        """Read again."""
        ...

    def close(self) -> None:
        """Close once the buffer is written."""
        ...

    def abort(self) -> None:
        """Close at once and drop the buffer."""
        ...


def descriptor_of(transport: Transport) -> int:
    """Return the socket's file descriptor, or -1 if only the transport may read and write (TLS, no socket).

    asyncio closes the descriptor after `connection_lost`, never before, so until then it cannot be another socket's.
    """
    socket = transport.get_extra_info("socket")
    if socket is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    number = int(socket.fileno())
    if number >= len(_numbers):
        _numbers.extend(range(len(_numbers), number + 1024))
    return _numbers[number]
