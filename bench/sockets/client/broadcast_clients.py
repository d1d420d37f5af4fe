"""The clients of one server and its publisher: messages go out, and every client has to get each of them, in order.

What arrives is read once: nearly always all clients get the same bytes, so that a comparison with the last ones that
were read is enough.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Sequence
from typing import Protocol

from bench.sockets.client.concurrency import Doorway
from bench.sockets.client.connection import Line
from bench.sockets.client.frames import split_frames
from bench.sockets.client.handshake import Greeting, Manners, Step
from bench.sockets.client.message import message, number_in
from bench.sockets.client.reactor import Reactor

_AT_THE_DOOR = 128  # greetings at once: less than any server's backlog
# Seconds between two looks at the sockets. Clients that slept until something comes would have to be woken by each
# send, at the cost of whoever sends, and that more often the slower the server is; between two machines nobody is.
_PACE = 0.0005


class DeliveryError(Exception):
    """Say that a client lost its connection, or got something else than the next message."""


class Dialect(Protocol):
    """How one kind of server is spoken to, by its clients and by the publisher; travels to another process."""

    @property
    def manners(self) -> Manners:
        """Return how its clients greet and keep alive."""
        ...

    @property
    def receipt(self) -> bytes:
        """Return what the publisher hears for each message, b"" for nothing."""
        ...

    def steps(self, number: int) -> Sequence[Step]:
        """Return what client `number` says to hear the messages."""
        ...

    def published(self, body: bytes) -> bytes:
        """Return what the publisher sends for one message."""
        ...


class Audience:
    """Hold the clients of the server at `port`; the publisher connects to `publish_port`.

    The clients connect from the loopback address `source`. `deadline` is in seconds: so long may a broadcast take, or
    the next 1,000 connects.
    """

    def __init__(
        self,
        reactor: Reactor,
        dialect: Dialect,
        *,
        port: int,
        publish_port: int,
        source: str,
        deadline: float = 60.0,
    ) -> None:
        self._reactor = reactor
        self._dialect = dialect
        self._port, self._source, self._deadline = port, source, deadline
        self._lines: list[Line] = []
        self._doorway = Doorway(_AT_THE_DOOR)
        self._sent = 0
        self._missing = 0
        self._known, self._meaning = b"", (0, 0)
        self._receipts = bytearray()
        self._publisher = socket.create_connection(("127.0.0.1", publish_port))
        self._publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reactor.when_readable(self._publisher.fileno(), self._take_receipts)

    def connect(self, count: int) -> None:
        """Connect further clients until there are `count`."""
        fresh = [Line(self._reactor, self, number) for number in range(len(self._lines), count)]
        self._lines += fresh
        for line in fresh:
            self._doorway.enter(lambda line=line: self._open(line))  # type: ignore[misc]
        within = self._deadline * (1 + len(fresh) / 1000)
        self._reactor.until(lambda: self._doorway.clear, within=within, what=f"{len(fresh)} clients connected")

    def broadcast(self, messages: int, together: int) -> float:
        """Publish messages, `together` of them at once, each time waiting until every client has them.

        Returns the seconds that this took. Raises `DeliveryError`, or TimeoutError.
        """
        started = time.perf_counter()
        self._receipts.clear()
        for _ in range(0, messages, together):
            numbers = range(self._sent, self._sent + together)
            self._sent += together
            self._missing = len(self._lines)
            self._publisher.sendall(b"".join(self._dialect.published(message(number)) for number in numbers))
            self._reactor.until(
                lambda: not self._missing, within=self._deadline, what=f"messages {numbers} everywhere", pace=_PACE
            )
        receipt = self._dialect.receipt
        if receipt:
            self._reactor.until(
                lambda: self._receipts.count(receipt) == messages, within=self._deadline, what=f"{messages} receipts"
            )
        return time.perf_counter() - started

    def close(self) -> None:
        """End all connections."""
        for line in self._lines:
            line.close()
        self._reactor.forget(self._publisher.fileno())
        self._publisher.close()

    def ready(self, line: Line, greeting: Greeting) -> None:
        """Count a client in; it hears what is sent from now on."""
        for text in greeting.others:
            raise DeliveryError(f"client {line.number} heard {text[:200]!r} while it greeted")
        line.count = self._sent
        self._doorway.passed()

    def heard(self, line: Line, data: bytes) -> None:
        """Check that what arrived is what comes next for this client."""
        first, count = self._meaning if data == self._known and not line.rest else self._read(line, data)
        if not count:
            return
        if first != line.count or line.count + count > self._sent:
            raise DeliveryError(
                f"client {line.number} waits for message {line.count} and got {first} ({count} of them)"
            )
        line.count += count
        if line.count == self._sent:
            self._missing -= 1

    def ended(self, line: Line, reason: str) -> None:
        """Give up: a measurement with fewer clients is none."""
        raise DeliveryError(f"client {line.number} lost its connection: {reason}")

    def _open(self, line: Line) -> None:
        line.open(self._port, self._source, Greeting(self._dialect.manners, self._dialect.steps(line.number)))

    def _read(self, line: Line, data: bytes) -> tuple[int, int]:
        """Return the first message's number and how many there are; answer pings."""
        payloads, rest = split_frames(line.rest + data)
        ping, numbers, pings = self._dialect.manners.ping, [], 0
        for payload in payloads:
            for text in payload.split(b"\n"):
                if ping and text == ping:
                    pings += 1
                    line.send(self._dialect.manners.pong)
                else:
                    numbers.append(number_in(text))
        if any(later != earlier + 1 for earlier, later in itertools.pairwise(numbers)):
            raise DeliveryError(f"client {line.number} got the messages {numbers}, which are not in order")
        meaning = (numbers[0] if numbers else 0, len(numbers))
        if not (line.rest or rest or pings):
            self._known, self._meaning = data, meaning
        line.rest = rest
        return meaning

    def _take_receipts(self) -> None:
        data = self._publisher.recv(65536)
        if not data:
            raise DeliveryError("the server ended the publisher's connection")
        self._receipts += data
