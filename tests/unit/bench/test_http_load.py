"""The client that asks over and over."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from bench import http_load as asking
from bench.http_load import WrongAnswerError, rate

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@contextmanager
def server(*pieces: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer each request on one connection with these pieces, and keep the requests; without pieces, hang up."""
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(ConnectionError):  # who asked may be gone by now
            while request := connection.recv(4096):
                asked.append(request)
                for piece in pieces:
                    connection.sendall(piece)
                if not pieces:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], asked
        thread.join(10)


def ask(port: int) -> float:
    """Ask over one connection for a moment."""
    return rate(port, "/x", "t", connections=1, seconds=0.05)


def test_whole_answers_are_counted() -> None:
    """An answer counts when all of its body is there, however it is cut; then the next is asked for."""
    with server(GOOD[:20], GOOD[20:] + b"he", b"llo") as (port, asked):
        answers = round(ask(port) * 0.05)
        assert asked[0].startswith(b"GET /x HTTP/1.1\r\n")
        assert b"Authorization: Bearer t\r\n" in asked[0]
    assert 0 < answers <= len(asked) <= answers + 1


@pytest.mark.parametrize(
    ("pieces", "told"),
    [([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "404 Not Found"), ([], "connection was closed")],
)
def test_anything_else_ends_the_measurement(pieces: list[bytes], told: str) -> None:
    """A refusal or a closed connection is an error, and not an answer."""
    with server(*pieces) as (port, _), pytest.raises(WrongAnswerError, match=told):
        ask(port)


def test_silence_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers does not hold the bench."""
    monkeypatch.setattr(asking, "ANSWER_DEADLINE", 0.05)
    with server(b"HTTP/1.1 200 OK\r\n") as (port, _), pytest.raises(TimeoutError, match="no answer in time"):
        ask(port)
