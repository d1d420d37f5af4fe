"""Clients of the real service: each is somebody, has a token, and may recover both streams when coming back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from bench.sockets.client.connect_attempts import Arrivals, Arrived
from bench.sockets.client.connection import Line
from bench.sockets.client.frames import client_frame, split_frames
from bench.sockets.client.handshake import Greeting, Manners, Step
from bench.sockets.client.reactor import Reactor

_SENT_AT = b'"sent_at":'
_DEADLINE = 60.0  # seconds for what was published to be everywhere

Arrival = Callable[[Line, str | None], None]


class PeopleError(Exception):
    """Say that somebody lost the connection, or got more than was published."""


class People:
    """Hold the connections of some people to the service at `port`, from the loopback address `source`."""

    def __init__(self, reactor: Reactor, manners: Manners, port: int, source: str) -> None:
        self._reactor = reactor
        self._manners = manners
        self._port, self._source = port, source
        self._lines: list[Line] = []
        self._results: list[dict[str, Any]] = []
        self._arrival: Arrival = _unexpected
        self._goal, self._missing = 0, 0
        self._delays: list[float] = []

    def enter(self, tokens: Sequence[str], at_once: int, topic: str | None = None) -> Arrived:
        """Connect one new person for each token, `at_once` at a time; with a `topic` everybody subscribes to it."""
        self.leave()
        self._lines = [Line(self._reactor, self, number) for number in range(len(tokens))]
        self._results = [{} for _ in tokens]
        arrivals = Arrivals(self._reactor, partial(self._connect, tokens, topic), at_once=at_once)
        return self._admit(arrivals, spread=0.0, within=30 + len(tokens) / 50)

    def leave(self) -> None:
        """Reset all connections, as a network that is lost does."""
        for line in self._lines:
            line.close()

    def come_back(self, tokens: Sequence[str], spread: float, within: float) -> Arrived:
        """Let everybody who left connect again and recover, each at a random moment of the next `spread` seconds."""
        arrivals = Arrivals(self._reactor, partial(self._recover, tokens), at_once=len(tokens))
        return self._admit(arrivals, spread=spread, within=within)

    def expect(self, publications: int) -> None:
        """Note that from now on everybody has to get so many publications, and no more."""
        self._goal, self._missing = publications, len(self._lines)
        for line in self._lines:
            line.count = 0

    def gathered(self) -> None:
        """Wait until everybody has what was expected."""
        self._reactor.until(lambda: not self._missing, within=_DEADLINE, what="the publications everywhere")

    def take_delays(self) -> list[float]:
        """Return how late each publication was that says when it was sent, in seconds, and begin anew."""
        delays, self._delays = self._delays, []
        return delays

    def ready(self, line: Line, greeting: Greeting) -> None:
        """Keep what the connect said."""
        self._results[line.number] = orjson.loads(greeting.answers[0])["connect"]
        self._arrival(line, None)
        for text in greeting.others:
            self._hear(line, text)

    def heard(self, line: Line, data: bytes) -> None:
        """Take publications and answer pings."""
        payloads, line.rest = split_frames(line.rest + data)
        for payload in payloads:
            for text in payload.split(b"\n"):
                self._hear(line, text)

    def ended(self, line: Line, reason: str) -> None:
        """Pass on that a connection is gone, to whoever waits for it."""
        self._arrival(line, reason)

    def _admit(self, arrivals: Arrivals, *, spread: float, within: float) -> Arrived:
        self._arrival = arrivals.tell
        for line in self._lines:
            arrivals.expect(line, spread=spread)
        self._reactor.until(lambda: arrivals.over, within=within, what=f"{len(self._lines)} people connected")
        self._arrival = _unexpected
        return arrivals.summary(self._results)

    def _hear(self, line: Line, text: bytes) -> None:
        if text == self._manners.ping:
            line.send(self._manners.pong)
            return
        if b'"pub"' not in text:
            raise PeopleError(f"person {line.number} got {text[:200]!r}")
        at = text.find(_SENT_AT)
        if at >= 0:
            sent = int(text[at + len(_SENT_AT) :].partition(b"}")[0])
            self._delays.append((time.monotonic_ns() - sent) / 1e9)
        line.count += 1
        if line.count == self._goal:
            self._missing -= 1
        elif self._goal and line.count > self._goal:
            raise PeopleError(f"person {line.number} got {line.count} publications of {self._goal}")

    def _connect(self, tokens: Sequence[str], topic: str | None, line: Line) -> None:
        self._greet(line, tokens[line.number], {}, topic)

    def _recover(self, tokens: Sequence[str], line: Line) -> None:
        known = self._results[line.number]["subs"]
        since = {
            name: {"recover": True, "epoch": stream["epoch"], "offset": stream["offset"]}
            for name, stream in known.items()
        }
        self._greet(line, tokens[line.number], since, None)

    def _greet(self, line: Line, token: str, since: dict[str, Any], topic: str | None) -> None:
        steps = [Step(_command(1, "connect", token=token, subs=since), b'"connect"')]
        if topic is not None:
            steps.append(Step(_command(2, "subscribe", channel=topic), b'"subscribe"'))
        line.open(self._port, self._source, Greeting(self._manners, steps))


def sent_now() -> bytes:
    """Return a document that says when it was sent, for `take_delays`."""
    return b'{"type":"bench","sent_at":%d}' % time.monotonic_ns()


def _command(number: int, method: str, **parameters: object) -> bytes:
    return client_frame(orjson.dumps({"id": number, method: parameters}))


def _unexpected(line: Line, reason: str | None) -> None:
    raise PeopleError(f"person {line.number} lost the connection: {reason}")
