"""The benchmark's clients on real sockets: what is not delivered, is delivered twice or is not whole, is noticed."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.cores import share_out
from bench.sockets.client.broadcast_clients import Audience, DeliveryError
from bench.sockets.client.frames import server_frame
from bench.sockets.client.message import WrongMessageError, message
from bench.sockets.client.reactor import Reactor
from bench.sockets.peers.peer import Peer
from bench.sockets.peers.picshare import PICSHARE
from bench.sockets.peers.programs import SEND_LOOP, SendLoopDialect

CLIENTS = 3

Send = Callable[[list[socket.socket], bytes], None]


def to_all(clients: list[socket.socket], data: bytes) -> None:
    """Send to every client, as a good server does."""
    for client in clients:
        client.sendall(data)


def to_all_but_one(clients: list[socket.socket], data: bytes) -> None:
    """Forget a client."""
    to_all(clients[1:], data)


def twice_to_one(clients: list[socket.socket], data: bytes) -> None:
    """Send one client the message once more."""
    to_all([clients[0], *clients], data)


def changed_for_one(clients: list[socket.socket], data: bytes) -> None:
    """Send one client other bytes of the same length."""
    clients[0].sendall(data.replace(b".", b","))
    to_all(clients[1:], data)


def hang_up_on_one(clients: list[socket.socket], data: bytes) -> None:
    """End one client's connection."""
    clients[0].close()
    to_all(clients[1:], data)


@contextmanager
def speaker(send: Send) -> Iterator[tuple[int, int]]:
    """Run a server for `CLIENTS` bare connections that passes frames on by `send`; yield its two ports."""
    with socket.create_server(("127.0.0.1", 0)) as doors, socket.create_server(("127.0.0.1", 0)) as desk:

        def serve() -> None:
            publisher, _ = desk.accept()
            clients = [doors.accept()[0] for _ in range(CLIENTS)]
            to_all(clients, server_frame(b"in"))
            with publisher, publisher.makefile("rb") as commands:
                while size := commands.read(4):
                    send(clients, commands.read(int.from_bytes(size)))
            for client in clients:
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield doors.getsockname()[1], desk.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def listening(send: Send) -> Iterator[Audience]:
    """Yield an audience of a server that sends by `send`; it waits no longer than a test should."""
    with speaker(send) as (port, publish_port):
        crowd = Audience(
            Reactor(), SendLoopDialect(), port=port, publish_port=publish_port, source="127.0.0.2", deadline=0.3
        )
        try:
            crowd.connect(CLIENTS)
            yield crowd
        finally:
            crowd.close()


def test_what_everybody_gets_counts() -> None:
    """One at a time or together, cut in pieces or not: every client has every message."""

    def in_pieces(clients: list[socket.socket], data: bytes) -> None:
        to_all(clients, data[:100])
        to_all(clients, data[100:])

    for send in (to_all, in_pieces):
        with listening(send) as crowd:
            crowd.broadcast(3, 1)
            crowd.broadcast(4, 2)


def test_a_message_that_one_does_not_get_is_missed() -> None:
    """As long as one client lacks it, the broadcast is not over."""
    with listening(to_all_but_one) as crowd, pytest.raises(TimeoutError, match="everywhere"):
        crowd.broadcast(1, 1)


@pytest.mark.parametrize("send", [twice_to_one, changed_for_one, hang_up_on_one])
def test_what_is_wrong_for_one_ends_the_measurement(send: Send) -> None:
    """A repetition, other bytes or a lost connection is an error, and never a delivery."""
    with listening(send) as crowd, pytest.raises((DeliveryError, WrongMessageError)):
        crowd.broadcast(3, 1)


def test_an_old_message_is_no_delivery() -> None:
    """Messages are told apart by their numbers: the first one again in place of the second is an error."""
    first = server_frame(message(0))
    sent = itertools.count()

    def repeat(clients: list[socket.socket], data: bytes) -> None:
        to_all(clients, first if next(sent) else data)

    with listening(repeat) as crowd, pytest.raises(DeliveryError, match="waits for message 1 and got 0"):
        crowd.broadcast(2, 1)


def test_a_burst_in_another_order_is_no_delivery() -> None:
    """Two messages that come together come in the order in which they were published."""
    held: list[bytes] = []

    def swapped(clients: list[socket.socket], data: bytes) -> None:
        held.append(data)
        if len(held) == 2:
            to_all(clients, held[1] + held[0])

    with listening(swapped) as crowd, pytest.raises(DeliveryError, match="not in order"):
        crowd.broadcast(2, 2)


@pytest.mark.engines
@pytest.mark.parametrize("peer", [PICSHARE, SEND_LOOP], ids=lambda peer: peer.name)
async def test_a_peer_reaches_everybody(peer: Peer, tmp_path: Path) -> None:
    """PicShare's own server and the loop in C bring single messages and bursts to all clients."""
    async with peer.run(tmp_path, share_out(os.sched_getaffinity(0))) as running:
        crowd = Audience(
            Reactor(),
            running.dialect,
            port=running.port,
            publish_port=running.publish_port,
            source="127.0.0.2",
        )
        try:
            crowd.connect(CLIENTS)
            crowd.broadcast(2, 1)
            crowd.broadcast(20, 10)
        finally:
            crowd.close()
