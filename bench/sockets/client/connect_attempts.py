"""Connects of many clients: each is repeated until it succeeds, with a growing delay, as the open SDKs do."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.sockets.client.concurrency import ConcurrencyLimit
from bench.sockets.client.connection import ClientConnection
from bench.sockets.client.reactor import Reactor

_RESPONSE_DEADLINE = 10.0  # seconds until a client abandons an attempt
_BACKOFF = (0.5, 20.0)  # seconds: upper bounds of the first delay and of any delay


@dataclass(frozen=True, kw_only=True)
class ConnectSummary:
    """Result of many connects: seconds until the last one succeeded, failed attempts by reason, recovered streams.

    `recovered` and `lost` count the streams that were to be recovered, two for each client; `publications` is how many
    missed publications the connect replies contained.
    """

    seconds: float
    failures: Mapping[str, int]
    recovered: int
    lost: int
    publications: int


class ConnectAttempts:
    """Calls `connect` for each added connection, again after each failure, for at most `at_once` of them at a time."""

    def __init__(self, reactor: Reactor, connect: Callable[[ClientConnection], None], *, at_once: int) -> None:
        self._reactor = reactor
        self._connect = connect
        self._limit = ConcurrencyLimit(at_once)
        self._attempts: dict[int, int] = {}  # of connections that are not established, by their number
        self._failures: Counter[str] = Counter()
        self._started = time.perf_counter()

    @property
    def all_connected(self) -> bool:
        """Return whether every added connection is established."""
        return not self._attempts

    def add(self, connection: ClientConnection, *, spread: float = 0.0) -> None:
        """Connect at a random moment of the next `spread` seconds, or as soon as the limit allows."""
        self._attempts[connection.number] = 0
        start = partial(self._limit.start, partial(self._attempt, connection))
        if spread:
            self._reactor.later(random.random() * spread, start)
        else:
            start()

    def report(self, connection: ClientConnection, reason: str | None) -> None:
        """Record the result of an attempt: None for success, else the reason, after which it is repeated later."""
        if reason is None:
            del self._attempts[connection.number]
            self._limit.finished()
            return
        # A failed client keeps its place within the limit, so `at_once` bounds the clients, not only the attempts.
        self._failures[reason] += 1
        first, longest = _BACKOFF
        delay = min(longest, first * 2 ** self._attempts[connection.number])
        self._reactor.later(random.random() * delay, partial(self._attempt, connection))

    def summary(self, results: Sequence[Mapping[str, Any]]) -> ConnectSummary:
        """Return the summary, given the connect reply of every client."""
        recovering = [
            stream for result in results for stream in result["subs"].values() if stream.get("was_recovering", False)
        ]
        recovered = sum(stream["recovered"] for stream in recovering)
        return ConnectSummary(
            seconds=time.perf_counter() - self._started,
            failures=dict(self._failures),
            recovered=recovered,
            lost=len(recovering) - recovered,
            publications=sum(len(stream["publications"]) for stream in recovering),
        )

    def _attempt(self, connection: ClientConnection) -> None:
        self._attempts[connection.number] += 1
        self._reactor.later(_RESPONSE_DEADLINE, partial(self._time_out, connection, self._attempts[connection.number]))
        self._connect(connection)

    def _time_out(self, connection: ClientConnection, attempt: int) -> None:
        if self._attempts.get(connection.number) == attempt and connection.is_open:
            connection.close()
            self.report(connection, f"no reply within {_RESPONSE_DEADLINE:g} s")
