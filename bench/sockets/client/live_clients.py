"""Clients of the real service: each has a user's token, and can recover both streams when it reconnects."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from bench.sockets.client.connect_attempts import ConnectAttempts, ConnectSummary
from bench.sockets.client.connection import ClientConnection
from bench.sockets.client.frames import client_frame, split_frames
from bench.sockets.client.handshake import Handshake, Opening, Step
from bench.sockets.client.reactor import Reactor

_SENT_AT = b'"sent_at":'
_DEADLINE = 60.0  # seconds in which every client must have received a publication

OnAttempt = Callable[[ClientConnection, str | None], None]


class LiveClientError(Exception):
    """A client lost its connection, or received more than was published."""


class LiveClients:
    """Connections of some users to the service at `port`, from the loopback address `source`."""

    def __init__(self, reactor: Reactor, opening: Opening, port: int, source: str) -> None:
        self._reactor = reactor
        self._opening = opening
        self._port, self._source = port, source
        self._connections: list[ClientConnection] = []
        self._results: list[dict[str, Any]] = []
        self._on_attempt: OnAttempt = _unexpected
        self._goal, self._missing = 0, 0
        self._delays: list[float] = []
        self._complete_at = 0.0

    def connect_all(self, tokens: Sequence[str], at_once: int, topic: str | None = None) -> ConnectSummary:
        """Connect one new client for each token, `at_once` at a time; with a `topic`, all of them subscribe to it."""
        self.disconnect_all()
        self._connections = [ClientConnection(self._reactor, self, number) for number in range(len(tokens))]
        self._results = [{} for _ in tokens]
        attempts = ConnectAttempts(self._reactor, partial(self._connect, tokens, topic), at_once=at_once)
        return self._run_attempts(attempts, spread=0.0, within=30 + len(tokens) / 50)

    def disconnect_all(self) -> None:
        """Reset all connections, as the loss of a network does."""
        for connection in self._connections:
            connection.close()

    def reconnect_all(self, tokens: Sequence[str], spread: float, within: float) -> ConnectSummary:
        """Reconnect all clients and recover, each at a random moment of the next `spread` seconds."""
        attempts = ConnectAttempts(self._reactor, partial(self._open_recovering, tokens), at_once=len(tokens))
        return self._run_attempts(attempts, spread=spread, within=within)

    def expect(self, publications: int) -> None:
        """From now on, require every client to receive exactly this number of publications."""
        self._goal, self._missing = publications, len(self._connections)
        for connection in self._connections:
            connection.count = 0

    def wait_for_all(self) -> float:
        """Wait until every client has received the expected publications.

        Return when the last one came, on the clock of `time.perf_counter`.
        """
        self._reactor.until(lambda: not self._missing, within=_DEADLINE, what="the publications everywhere")
        return self._complete_at

    def take_delays(self) -> list[float]:
        """Return the delays, in seconds, of the timestamped publications received since the last call."""
        delays, self._delays = self._delays, []
        return delays

    def ready(self, connection: ClientConnection, handshake: Handshake) -> None:
        """Store the connect reply."""
        self._results[connection.number] = orjson.loads(handshake.replies[0])["connect"]
        self._on_attempt(connection, None)
        for text in handshake.others:
            self._receive_text(connection, text)

    def received(self, connection: ClientConnection, data: bytes) -> None:
        """Count publications and reply to pings."""
        payloads, connection.rest = split_frames(connection.rest + data)
        for payload in payloads:
            for text in payload.split(b"\n"):
                self._receive_text(connection, text)

    def closed(self, connection: ClientConnection, reason: str) -> None:
        """Report the failed attempt, or fail if no connects are in progress."""
        self._on_attempt(connection, reason)

    def _run_attempts(self, attempts: ConnectAttempts, *, spread: float, within: float) -> ConnectSummary:
        self._on_attempt = attempts.report
        for connection in self._connections:
            attempts.add(connection, spread=spread)
        self._reactor.until(
            lambda: attempts.all_connected, within=within, what=f"{len(self._connections)} clients connected"
        )
        self._on_attempt = _unexpected
        return attempts.summary(self._results)

    def _receive_text(self, connection: ClientConnection, text: bytes) -> None:
        if text == self._opening.ping:
            connection.send(self._opening.pong)
            return
        if b'"pub"' not in text:
            raise LiveClientError(f"client {connection.number} got {text[:200]!r}")
        at = text.find(_SENT_AT)
        if at >= 0:
            sent = int(text[at + len(_SENT_AT) :].partition(b"}")[0])
            self._delays.append((time.monotonic_ns() - sent) / 1e9)
        connection.count += 1
        if connection.count == self._goal:
            self._missing -= 1
            if not self._missing:
                self._complete_at = time.perf_counter()
        elif self._goal and connection.count > self._goal:
            raise LiveClientError(f"client {connection.number} got {connection.count} publications of {self._goal}")

    def _connect(self, tokens: Sequence[str], topic: str | None, connection: ClientConnection) -> None:
        self._start_handshake(connection, tokens[connection.number], {}, topic)

    def _open_recovering(self, tokens: Sequence[str], connection: ClientConnection) -> None:
        known = self._results[connection.number]["subs"]
        since = {
            name: {"recover": True, "epoch": stream["epoch"], "offset": stream["offset"]}
            for name, stream in known.items()
        }
        self._start_handshake(connection, tokens[connection.number], since, None)

    def _start_handshake(
        self, connection: ClientConnection, token: str, since: dict[str, Any], topic: str | None
    ) -> None:
        steps = [Step(_command(1, "connect", token=token, subs=since), b'"connect"')]
        if topic is not None:
            steps.append(Step(_command(2, "subscribe", channel=topic), b'"subscribe"'))
        connection.open(self._port, self._source, Handshake(self._opening, steps))


def timestamped_document() -> bytes:
    """Return a document with the current time, from which `take_delays` computes the delay."""
    return b'{"type":"bench","sent_at":%d}' % time.monotonic_ns()


def _command(number: int, method: str, **parameters: object) -> bytes:
    return client_frame(orjson.dumps({"id": number, method: parameters}))


def _unexpected(connection: ClientConnection, reason: str | None) -> None:
    raise LiveClientError(f"client {connection.number} lost the connection: {reason}")
