"""Idle clients that answer every ping, each after a delay of its own, as clients do that are at different distances."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial

from bench.sockets.client.concurrency import ConcurrencyLimit
from bench.sockets.client.connection import ClientConnection
from bench.sockets.client.handshake import Handshake, Opening, Step
from bench.sockets.client.reactor import Reactor

_HANDSHAKES_AT_ONCE = 64
_CONNECT_DEADLINE = 120.0  # seconds
_DELAYS = (0.01, 0.11)  # seconds from a ping to its pong
# Seconds between two looks at the sockets. Clients that sleep until data arrives are woken by each send, at the cost of
# the sender. Between two machines a send wakes no process.
_PACE = 0.001


class LostConnectionError(Exception):
    """A client lost its connection, or received something other than a ping."""


class PingClients:
    """Clients of the server at `port`, which connect from a loopback address.

    `steps` returns how the client of a number opens its connection.
    """

    def __init__(
        self, reactor: Reactor, opening: Opening, steps: Callable[[int], Sequence[Step]], *, port: int, source: str
    ) -> None:
        self._reactor = reactor
        self._opening = opening
        self._steps = steps
        self._port, self._source = port, source
        self._ping = b""
        self._rounds = 0
        self._limit = ConcurrencyLimit(_HANDSHAKES_AT_ONCE)

    def connect(self, count: int, ping: bytes) -> None:
        """Connect `count` clients; `ping` are the bytes of a ping."""
        self._ping = ping
        for number in range(count):
            connection = ClientConnection(self._reactor, self, number)
            handshake = Handshake(self._opening, self._steps(number))
            self._limit.start(partial(connection.open, self._port, self._source, handshake))
        self._reactor.until(lambda: self._limit.idle, within=_CONNECT_DEADLINE, what=f"{count} clients connected")

    def rounds(self, seconds: float) -> int:
        """Answer pings for a time, and return the number of pongs that were sent in it."""
        before, end = self._rounds, time.monotonic() + seconds
        self._reactor.until(lambda: time.monotonic() >= end, within=seconds + 10, what="the window", pace=_PACE)
        return self._rounds - before

    def ready(self, connection: ClientConnection, handshake: Handshake) -> None:  # noqa: ARG002 - of the port
        """Count a client as connected."""
        self._limit.finished()

    def received(self, connection: ClientConnection, data: bytes) -> None:
        """Answer a ping after a while."""
        if data != self._ping:
            raise LostConnectionError(f"client {connection.number} received {data[:200]!r}")
        self._reactor.later(random.uniform(*_DELAYS), partial(self._answer, connection))

    def closed(self, connection: ClientConnection, reason: str) -> None:
        """Fail: a measurement with fewer clients would be wrong."""
        raise LostConnectionError(f"client {connection.number}: {reason}")

    def _answer(self, connection: ClientConnection) -> None:
        connection.send(self._opening.pong)
        self._rounds += 1
