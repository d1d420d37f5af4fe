"""A client that sends one GET after the other, as cheaply as Python can, so that the cores are left to the server.

An asyncio client costs more for each response than a bare handler does, and on two cores its share is taken from the
engines. This client looks at no more of a response than its status and its length.
"""

from __future__ import annotations

import select
import socket
import time

RESPONSE_DEADLINE = 10.0  # seconds
_END_OF_HEAD = b"\r\n\r\n"


class UnexpectedResponseError(Exception):
    """The server sent something other than a complete 200; carries the beginning of what it sent."""


class _HttpConnection:
    """One persistent connection with one request at a time."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._request = request
        self._received = b""

    def send_request(self) -> None:
        """Send the request; it fits the socket's buffer, so this does not block."""
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Read what has arrived; return whether the response is complete. Raises `UnexpectedResponseError`."""
        data = self.socket.recv(1 << 16)
        received = self._received + data if self._received else data
        head = received.find(_END_OF_HEAD)
        complete = head >= 0 and len(received) >= head + len(_END_OF_HEAD) + _content_length(received[:head])
        if not data or (complete and not received.startswith(b"HTTP/1.1 200 ")):
            raise UnexpectedResponseError(received[:500].decode("utf-8", "replace") or "the connection was closed")
        self._received = b"" if complete else received
        return complete


def request_rate(port: int, path: str, token: str, *, connections: int, seconds: float) -> float:
    """Return responses a second over connections that each repeat the request after every response; blocks.

    Raises `UnexpectedResponseError` for anything but a 200, and `TimeoutError` when no response comes at all.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    opened = [_HttpConnection(port, request) for _ in range(connections)]
    by_descriptor = {connection.socket.fileno(): connection for connection in opened}
    try:
        with select.epoll() as poll:
            for descriptor, connection in by_descriptor.items():
                poll.register(descriptor, select.EPOLLIN)
                connection.send_request()
            return _count_responses(poll, by_descriptor, time.perf_counter() + seconds) / seconds
    finally:
        for connection in opened:
            connection.socket.close()


class Page:
    """A page that is requested again and again over one connection; blocks."""

    def __init__(self, port: int, path: str, token: str) -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        self._connection = _HttpConnection(port, request)
        self._connection.socket.settimeout(RESPONSE_DEADLINE)

    def read(self) -> float:
        """Return the milliseconds from the request to the end of the response; raises as `request_rate` does."""
        started = time.perf_counter()
        self._connection.send_request()
        while not self._connection.receive():
            pass
        return (time.perf_counter() - started) * 1000

    def close(self) -> None:
        """Close the connection."""
        self._connection.socket.close()


def _count_responses(poll: select.epoll, connections: dict[int, _HttpConnection], until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        ready = poll.poll(RESPONSE_DEADLINE)
        if not ready:
            raise TimeoutError("no response in time")
        for descriptor, _ in ready:
            connection = connections[descriptor]
            if connection.receive():
                count += 1
                connection.send_request()
    return count


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
