"""A client that asks over and over, as cheaply as Python can: the cores are the server's.

A client of asyncio's costs more for each answer than a bare handler does, and on two cores what it takes is taken from
the engines beside it. This one looks at no more of an answer than its status and its length.
"""

from __future__ import annotations

import select
import socket
import time

ANSWER_DEADLINE = 10.0  # seconds
_END = b"\r\n\r\n"


class WrongAnswerError(Exception):
    """Say what was answered instead of 200."""


class _Asker:
    """One connection, one request at a time."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._request = request
        self._arrived = b""

    def ask(self) -> None:
        """Send the request, which fits the socket's buffer."""
        self.socket.sendall(self._request)

    def hear(self) -> bool:
        """Read what is there; say whether the answer is complete. Raises `WrongAnswerError`."""
        data = self.socket.recv(1 << 16)
        arrived = self._arrived + data if self._arrived else data
        head = arrived.find(_END)
        whole = head >= 0 and len(arrived) >= head + len(_END) + _length(arrived[:head])
        if not data or (whole and not arrived.startswith(b"HTTP/1.1 200 ")):
            raise WrongAnswerError(arrived[:500].decode("utf-8", "replace") or "the connection was closed")
        self._arrived = b"" if whole else arrived
        return whole


def rate(port: int, path: str, token: str, *, connections: int, seconds: float) -> float:
    """Return answers a second over connections that each ask again as soon as they are answered; blocks.

    Raises `WrongAnswerError` for anything but a 200, `TimeoutError` when no answer comes at all.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    askers = {asker.socket.fileno(): asker for asker in (_Asker(port, request) for _ in range(connections))}
    try:
        with select.epoll() as poll:
            for descriptor, asker in askers.items():
                poll.register(descriptor, select.EPOLLIN)
                asker.ask()
            return _answers(poll, askers, time.perf_counter() + seconds) / seconds
    finally:
        for asker in askers.values():
            asker.socket.close()


def _answers(poll: select.epoll, askers: dict[int, _Asker], until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        ready = poll.poll(ANSWER_DEADLINE)
        if not ready:
            raise TimeoutError("no answer in time")
        for descriptor, _ in ready:
            asker = askers[descriptor]
            if asker.hear():
                count += 1
                asker.ask()
    return count


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
