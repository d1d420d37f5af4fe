"""What of a transport a live connection uses, and the descriptor below it."""

from __future__ import annotations

from typing import Any, Protocol

# The numbers of descriptors lie side by side in memory, in the order in which connections come: scattered, each would
# cost a delivery to thousands a cache miss.
_numbers: list[int] = []


class Transport(Protocol):
    """What of `asyncio.Transport` a connection uses."""

    def write(self, data: bytes) -> None:
        """Send, or keep what the peer does not take at once."""
        ...

    def get_write_buffer_size(self) -> int:
        """Return the bytes kept."""
        ...

    def get_extra_info(self, name: str, /) -> Any:
        """Return its `socket`, or its `sslcontext` where it encrypts, or None."""
        ...

    def is_closing(self) -> bool:
        """Tell whether writing is over."""
        ...

    def pause_reading(self) -> None:
        """Let what the peer sends wait."""
        ...

    def resume_reading(self) -> None:
        """Take what the peer sends."""
        ...

    def close(self) -> None:
        """End the connection once what is kept was taken."""
        ...

    def abort(self) -> None:
        """Drop the connection and what is kept."""
        ...


def descriptor_of(transport: Transport) -> int:
    """Return the socket's file descriptor, or -1 where only the transport may read and write.

    asyncio closes it after it has told of the lost connection, and not before.
    """
    socket = transport.get_extra_info("socket")
    if socket is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    number = int(socket.fileno())
    if number >= len(_numbers):
        _numbers.extend(range(len(_numbers), number + 1024))
    return _numbers[number]
