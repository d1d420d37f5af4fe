"""The acceptor: a few connections per turn, none lost, and a pause if no more files can be opened."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest

from server.operation.acceptor import AT_ONCE, Acceptor
from tests.support.eventually import eventually


class AcceptedConnections:
    """Protocol factory that collects the transports of accepted connections."""

    def __init__(self) -> None:
        self.transports: list[asyncio.BaseTransport] = []

    def __call__(self) -> asyncio.Protocol:
        """Return a protocol for one connection."""
        transports = self.transports

        class Collecting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                transports.append(transport)

        return Collecting()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A bound socket."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


async def connect(address: tuple[str, int], count: int, *, silent: bool = False) -> list[socket.socket]:
    """Open `count` connections, and send a byte on each unless they are `silent`."""
    clients = [socket.create_connection(address) for _ in range(count)]
    if not silent:
        for client in clients:
            client.sendall(b"?")
    return clients


def close_all(clients: list[socket.socket], accepted: AcceptedConnections) -> None:
    """Close both ends of all connections."""
    for client, transport in zip(clients, accepted.transports, strict=True):
        client.close()
        transport.close()


@pytest.mark.parametrize("at_once", [1, AT_ONCE])
async def test_each_turn_accepts_a_few_connections(listener: socket.socket, at_once: int) -> None:
    """Each turn of the event loop accepts at most `at_once` of many waiting connections, and all are accepted."""
    accepted = AcceptedConnections()
    acceptor = Acceptor(listener, accepted, at_once=at_once)
    acceptor.open()
    clients = await connect(listener.getsockname(), 5 * AT_ONCE)
    steps = []
    while len(accepted.transports) < len(clients):
        before = len(accepted.transports)
        await asyncio.sleep(0)
        steps.append(len(accepted.transports) - before)
    assert max(steps) == at_once
    acceptor.close()
    close_all(clients, accepted)


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="this kernel cannot defer accepting")
async def test_silent_connections_are_accepted_later(listener: socket.socket) -> None:
    """A connection that has sent data is accepted before silent ones, which the kernel holds for a second or two."""
    accepted = AcceptedConnections()
    acceptor = Acceptor(listener, accepted)
    acceptor.open()
    clients = await connect(listener.getsockname(), 3, silent=True)
    clients += await connect(listener.getsockname(), 1)
    await eventually(lambda: len(accepted.transports) > 0)
    peers = [transport.get_extra_info("peername") for transport in accepted.transports]
    assert peers == [clients[-1].getsockname()]
    await eventually(lambda: len(accepted.transports) == len(clients))
    acceptor.close()
    close_all(clients, accepted)


async def test_closing_keeps_accepted_connections(listener: socket.socket) -> None:
    """A closed acceptor refuses new connections, and those that it accepted stay open."""
    accepted = AcceptedConnections()
    acceptor = Acceptor(listener, accepted)
    acceptor.open()
    address = listener.getsockname()
    clients = await connect(address, 1)
    await eventually(lambda: len(accepted.transports) == 1)
    acceptor.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address)
    assert not accepted.transports[0].is_closing()
    close_all(clients, accepted)


async def test_connections_that_wait_at_the_end_are_accepted(listener: socket.socket) -> None:
    """The kernel would reset them, although their clients have sent a request."""
    accepted = AcceptedConnections()
    acceptor = Acceptor(listener, accepted)
    acceptor.open()
    address = listener.getsockname()
    clients = await connect(address, 3 * AT_ONCE)
    acceptor.close()
    assert acceptor.connecting
    await eventually(lambda: len(accepted.transports) == len(clients) and not acceptor.connecting)
    with pytest.raises(ConnectionRefusedError):
        await connect(address, 1)
    assert {client.send(b"?") for client in clients} == {1}
    close_all(clients, accepted)


async def test_silent_connections_are_accepted_before_the_end(listener: socket.socket) -> None:
    """A client that connects and sends its request a moment later is accepted at once, when that is wanted."""
    accepted = AcceptedConnections()
    acceptor = Acceptor(listener, accepted)
    acceptor.open()
    acceptor.accept_silent()
    clients = await connect(listener.getsockname(), 1, silent=True)
    acceptor.close()
    await eventually(lambda: len(accepted.transports) == 1)
    close_all(clients, accepted)


class ExhaustedSocket(socket.socket):
    """A listener whose first calls of `accept` fail as in a process that can open no more files."""

    failures = 2

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, or accept."""
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


async def test_accepting_pauses_while_no_more_files_can_be_opened() -> None:
    """Without free files the acceptor pauses instead of spinning, and then accepts the waiting connection."""
    with ExhaustedSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        accepted = AcceptedConnections()
        acceptor = Acceptor(listener, accepted)
        acceptor.open()
        clients = await connect(listener.getsockname(), 1)
        await eventually(lambda: len(accepted.transports) == 1)
        assert listener.failures == 0
        acceptor.close()
        close_all(clients, accepted)
