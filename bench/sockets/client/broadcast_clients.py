"""The clients of one server and its publisher; every client must receive each published message once and in order.

Received bytes are parsed once: nearly always all clients receive the same bytes, so comparing them with the bytes that
were parsed last is enough.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Sequence
from typing import Protocol

from bench.sockets.client.concurrency import ConcurrencyLimit
from bench.sockets.client.connection import ClientConnection
from bench.sockets.client.frames import split_frames
from bench.sockets.client.handshake import Handshake, Opening, Step
from bench.sockets.client.message import message, number_in
from bench.sockets.client.reactor import Reactor

_HANDSHAKES_AT_ONCE = 128  # greetings at once: less than any server's backlog
# Seconds between two looks at the sockets. Clients that sleep until data arrives have to be woken by each send, at the
# sender's cost, and more often the slower the server is. Between two machines a send wakes no process.
_POLL_INTERVAL = 0.0005


class DeliveryError(Exception):
    """A client lost its connection, or received something other than the next message."""


class PeerProtocol(Protocol):
    """What the clients and the publisher of one kind of server send and expect; it is pickled to another process."""

    @property
    def opening(self) -> Opening:
        """Return how its clients open a connection and keep it alive."""
        ...

    @property
    def acknowledgement(self) -> bytes:
        """Return what the server sends to the publisher for each message, b"" for nothing."""
        ...

    def steps(self, number: int) -> Sequence[Step]:
        """Return the steps by which client `number` subscribes to the messages."""
        ...

    def encode(self, body: bytes) -> bytes:
        """Return the bytes that the publisher sends for one message."""
        ...


class BroadcastClients:
    """The clients of the server at `port`, and a publisher that connects to `publish_port`.

    The clients connect from the loopback address `source`. `deadline` is the time in seconds that a broadcast, or each
    1,000 connects, may take.
    """

    def __init__(
        self,
        reactor: Reactor,
        protocol: PeerProtocol,
        *,
        port: int,
        publish_port: int,
        source: str,
        deadline: float = 60.0,
    ) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._port, self._source, self._deadline = port, source, deadline
        self._connections: list[ClientConnection] = []
        self._limit = ConcurrencyLimit(_HANDSHAKES_AT_ONCE)
        self._sent = 0
        self._missing = 0
        self._known, self._meaning = b"", (0, 0)
        self._acknowledgements = bytearray()
        self._publisher = socket.create_connection(("127.0.0.1", publish_port))
        self._publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reactor.when_readable(self._publisher.fileno(), self._take_acknowledgements)

    def connect(self, count: int) -> None:
        """Connect more clients until there are `count`."""
        fresh = [ClientConnection(self._reactor, self, number) for number in range(len(self._connections), count)]
        self._connections += fresh
        for connection in fresh:
            self._limit.start(lambda connection=connection: self._open(connection))  # type: ignore[misc]
        within = self._deadline * (1 + len(fresh) / 1000)
        self._reactor.until(lambda: self._limit.idle, within=within, what=f"{len(fresh)} clients connected")

    def broadcast(self, messages: int, together: int) -> float:
        """Publish messages, `together` of them at a time, and wait each time until every client has received them.

        Returns the seconds that this took. Raises `DeliveryError`, or TimeoutError.
        """
        started = time.perf_counter()
        self._acknowledgements.clear()
        for _ in range(0, messages, together):
            numbers = range(self._sent, self._sent + together)
            self._sent += together
            self._missing = len(self._connections)
            self._publisher.sendall(b"".join(self._protocol.encode(message(number)) for number in numbers))
            self._reactor.until(
                lambda: not self._missing,
                within=self._deadline,
                what=f"messages {numbers} everywhere",
                pace=_POLL_INTERVAL,
            )
        acknowledgement = self._protocol.acknowledgement
        if acknowledgement:
            self._reactor.until(
                lambda: self._acknowledgements.count(acknowledgement) == messages,
                within=self._deadline,
                what=f"{messages} acknowledgements",
            )
        return time.perf_counter() - started

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()
        self._reactor.forget(self._publisher.fileno())
        self._publisher.close()

    def ready(self, connection: ClientConnection, handshake: Handshake) -> None:
        """Count a client as connected; it must receive what is published from now on."""
        for text in handshake.others:
            raise DeliveryError(f"client {connection.number} received {text[:200]!r} during its handshake")
        connection.count = self._sent
        self._limit.finished()

    def received(self, connection: ClientConnection, data: bytes) -> None:
        """Check that the received bytes are the next messages of this client."""
        first, count = self._meaning if data == self._known and not connection.rest else self._read(connection, data)
        if not count:
            return
        if first != connection.count or connection.count + count > self._sent:
            raise DeliveryError(
                f"client {connection.number} waits for message {connection.count} and got {first} ({count} of them)"
            )
        connection.count += count
        if connection.count == self._sent:
            self._missing -= 1

    def closed(self, connection: ClientConnection, reason: str) -> None:
        """Fail: a measurement with fewer clients would be wrong."""
        raise DeliveryError(f"client {connection.number} lost its connection: {reason}")

    def _open(self, connection: ClientConnection) -> None:
        connection.open(
            self._port, self._source, Handshake(self._protocol.opening, self._protocol.steps(connection.number))
        )

    def _read(self, connection: ClientConnection, data: bytes) -> tuple[int, int]:
        """Return the number of the first message and how many there are; reply to pings."""
        payloads, rest = split_frames(connection.rest + data)
        ping, numbers, pings = self._protocol.opening.ping, [], 0
        for payload in payloads:
            for text in payload.split(b"\n"):
                if ping and text == ping:
                    pings += 1
                    connection.send(self._protocol.opening.pong)
                else:
                    numbers.append(number_in(text))
        if any(later != earlier + 1 for earlier, later in itertools.pairwise(numbers)):
            raise DeliveryError(f"client {connection.number} got the messages {numbers}, which are not in order")
        meaning = (numbers[0] if numbers else 0, len(numbers))
        if not (connection.rest or rest or pings):
            self._known, self._meaning = data, meaning
        connection.rest = rest
        return meaning

    def _take_acknowledgements(self) -> None:
        data = self._publisher.recv(65536)
        if not data:
            raise DeliveryError("the server closed the publisher's connection")
        self._acknowledgements += data
