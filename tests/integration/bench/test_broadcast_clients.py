"""The benchmark's clients on real sockets: missing, duplicate and incomplete deliveries are detected."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.cores import assign_cores
from bench.sockets.client.broadcast_clients import BroadcastClients, DeliveryError
from bench.sockets.client.frames import server_frame
from bench.sockets.client.message import WrongMessageError, message
from bench.sockets.client.reactor import Reactor
from bench.sockets.peers.peer import PeerServer
from bench.sockets.peers.picshare import PICSHARE
from bench.sockets.peers.programs import SEND_LOOP, SendLoopProtocol

CLIENTS = 3

Send = Callable[[list[socket.socket], bytes], None]


def to_all(clients: list[socket.socket], data: bytes) -> None:
    """Send to every client, as a correct server does."""
    for client in clients:
        client.sendall(data)


def to_all_but_one(clients: list[socket.socket], data: bytes) -> None:
    """Omit one client."""
    to_all(clients[1:], data)


def twice_to_one(clients: list[socket.socket], data: bytes) -> None:
    """Send the message to one client twice."""
    to_all([clients[0], *clients], data)


def changed_for_one(clients: list[socket.socket], data: bytes) -> None:
    """Send other bytes of the same length to one client."""
    clients[0].sendall(data.replace(b".", b","))
    to_all(clients[1:], data)


def hang_up_on_one(clients: list[socket.socket], data: bytes) -> None:
    """Close one client's connection."""
    clients[0].close()
    to_all(clients[1:], data)


@contextmanager
def running_server(send: Send) -> Iterator[tuple[int, int]]:
    """Run a server for `CLIENTS` bare connections that forwards frames with `send`; yield its two ports."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as publishing:

        def serve() -> None:
            publisher, _ = publishing.accept()
            clients = [listener.accept()[0] for _ in range(CLIENTS)]
            to_all(clients, server_frame(b"in"))
            with publisher, publisher.makefile("rb") as commands:
                while size := commands.read(4):
                    send(clients, commands.read(int.from_bytes(size)))
            for client in clients:
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], publishing.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def connected_clients(send: Send) -> Iterator[BroadcastClients]:
    """Yield clients of a server that forwards with `send`, with a short deadline."""
    with running_server(send) as (port, publish_port):
        broadcast_clients = BroadcastClients(
            Reactor(), SendLoopProtocol(), port=port, publish_port=publish_port, source="127.0.0.2", deadline=0.3
        )
        try:
            broadcast_clients.connect(CLIENTS)
            yield broadcast_clients
        finally:
            broadcast_clients.close()


def test_messages_that_every_client_receives_count() -> None:
    """One at a time or together, split or not: every client receives every message."""

    def in_pieces(clients: list[socket.socket], data: bytes) -> None:
        to_all(clients, data[:100])
        to_all(clients, data[100:])

    for send in (to_all, in_pieces):
        with connected_clients(send) as broadcast_clients:
            broadcast_clients.broadcast(3, 1)
            broadcast_clients.broadcast(4, 2)


def test_a_missing_message_is_detected() -> None:
    """The broadcast does not end while one client has not received the message."""
    with connected_clients(to_all_but_one) as broadcast_clients, pytest.raises(TimeoutError, match="everywhere"):
        broadcast_clients.broadcast(1, 1)


@pytest.mark.parametrize("send", [twice_to_one, changed_for_one, hang_up_on_one])
def test_a_wrong_delivery_ends_the_measurement(send: Send) -> None:
    """A duplicate, other bytes or a lost connection is an error, not a delivery."""
    with connected_clients(send) as broadcast_clients, pytest.raises((DeliveryError, WrongMessageError)):
        broadcast_clients.broadcast(3, 1)


def test_an_old_message_is_no_delivery() -> None:
    """Messages are distinguished by their numbers: the first one in place of the second is an error."""
    first = server_frame(message(0))
    sent = itertools.count()

    def repeat(clients: list[socket.socket], data: bytes) -> None:
        to_all(clients, first if next(sent) else data)

    with (
        connected_clients(repeat) as broadcast_clients,
        pytest.raises(DeliveryError, match="waits for message 1 and got 0"),
    ):
        broadcast_clients.broadcast(2, 1)


def test_a_burst_in_another_order_is_no_delivery() -> None:
    """Two messages that arrive together must arrive in the order in which they were published."""
    held: list[bytes] = []

    def swapped(clients: list[socket.socket], data: bytes) -> None:
        held.append(data)
        if len(held) == 2:
            to_all(clients, held[1] + held[0])

    with connected_clients(swapped) as broadcast_clients, pytest.raises(DeliveryError, match="not in order"):
        broadcast_clients.broadcast(2, 2)


@pytest.mark.engines
@pytest.mark.parametrize("peer", [PICSHARE, SEND_LOOP], ids=lambda peer: peer.name)
async def test_a_peer_reaches_every_client(peer: PeerServer, tmp_path: Path) -> None:
    """PicShare's own server and the loop in C deliver single messages and bursts to all clients."""
    async with peer.run(tmp_path, assign_cores(os.sched_getaffinity(0))) as running:
        broadcast_clients = BroadcastClients(
            Reactor(),
            running.protocol,
            port=running.port,
            publish_port=running.publish_port,
            source="127.0.0.2",
        )
        try:
            broadcast_clients.connect(CLIENTS)
            broadcast_clients.broadcast(2, 1)
            broadcast_clients.broadcast(20, 10)
        finally:
            broadcast_clients.close()
