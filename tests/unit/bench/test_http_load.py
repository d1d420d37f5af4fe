"""The client that repeats one GET request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from bench import http_load
from bench.http_load import Page, UnexpectedResponseError, request_rate

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@contextmanager
def server(*pieces: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Respond to each request on one connection with these pieces and collect the requests; without pieces, close."""
    requests: list[bytes] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(ConnectionError):  # the client may have closed already
            while request := connection.recv(4096):
                requests.append(request)
                for piece in pieces:
                    connection.sendall(piece)
                if not pieces:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], requests
        thread.join(10)


def measure(port: int) -> float:
    """Return the rate over one connection, measured for a moment."""
    return request_rate(port, "/x", "t", connections=1, seconds=0.05)


def test_complete_responses_are_counted() -> None:
    """A response counts when its body is complete, however it is split; then the next request is sent."""
    with server(GOOD[:20], GOOD[20:] + b"he", b"llo") as (port, requests):
        responses = round(measure(port) * 0.05)
        assert requests[0].startswith(b"GET /x HTTP/1.1\r\n")
        assert b"Authorization: Bearer t\r\n" in requests[0]
    assert 0 < responses <= len(requests) <= responses + 1


@pytest.mark.parametrize(
    ("pieces", "message"),
    [([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "404 Not Found"), ([], "connection was closed")],
)
def test_any_other_response_ends_the_measurement(pieces: list[bytes], message: str) -> None:
    """A refusal or a closed connection is an error and is not counted."""
    with server(*pieces) as (port, _), pytest.raises(UnexpectedResponseError, match=message):
        measure(port)


def test_a_missing_response_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never completes its response does not block the benchmark."""
    monkeypatch.setattr(http_load, "RESPONSE_DEADLINE", 0.05)
    with server(b"HTTP/1.1 200 OK\r\n") as (port, _), pytest.raises(TimeoutError, match="no response in time"):
        measure(port)


def test_a_page_is_timed_until_it_is_complete() -> None:
    """Each read sends one request and waits for the whole body, however it arrives."""
    with server(GOOD, b"he", b"llo") as (port, requests):
        page = Page(port, "/page", "token")
        assert page.read() > 0
        assert page.read() > 0
        page.close()
    assert len(requests) == 2
    assert requests[0].startswith(b"GET /page HTTP/1.1\r\n")
    assert b"Authorization: Bearer token" in requests[0]


def test_a_page_that_is_refused_is_an_error() -> None:
    """Anything but a 200 would be measured as a fast page."""
    with server(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n") as (port, _):
        page = Page(port, "/page", "token")
        with pytest.raises(UnexpectedResponseError, match="429"):
            page.read()
        page.close()
