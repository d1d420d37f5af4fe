"""The door: a few at a time, nobody lost, and patience where no more files may be opened."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest

from server.operation.acceptor import AT_ONCE, Acceptor
from tests.support.eventually import eventually


class Guests:
    """Count who was let in, and how many in one turn of the event loop at most."""

    def __init__(self) -> None:
        self.inside: list[asyncio.BaseTransport] = []

    def __call__(self) -> asyncio.Protocol:
        """Make a protocol for one more."""
        guests = self

        class Guest(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                guests.inside.append(transport)

        return Guest()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A bound socket."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


async def arrive(address: tuple[str, int], count: int, *, silent: bool = False) -> list[socket.socket]:
    """Connect so many at once; all say something unless they are `silent`."""
    visitors = [socket.create_connection(address) for _ in range(count)]
    if not silent:
        for visitor in visitors:
            visitor.sendall(b"?")
    return visitors


async def test_a_few_at_a_time(listener: socket.socket) -> None:
    """Of many who come at once a few enter each turn, what else is due has its turn in between, and all enter."""
    guests = Guests()
    door = Acceptor(listener, guests)
    door.open()
    outside = await arrive(listener.getsockname(), 5 * AT_ONCE)
    steps = []
    while len(guests.inside) < len(outside):
        before = len(guests.inside)
        await asyncio.sleep(0)
        steps.append(len(guests.inside) - before)
    assert max(steps) <= AT_ONCE
    door.close()
    for visitor, transport in zip(outside, guests.inside, strict=True):
        visitor.close()
        transport.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="this kernel lets everybody in at once")
async def test_who_says_nothing_waits_outside(listener: socket.socket) -> None:
    """Who has said something enters before those who have not, whom the kernel keeps for a second or two."""
    guests = Guests()
    door = Acceptor(listener, guests)
    door.open()
    outside = await arrive(listener.getsockname(), 3, silent=True)
    outside += await arrive(listener.getsockname(), 1)
    await eventually(lambda: len(guests.inside) > 0)
    assert [guest.get_extra_info("peername") for guest in guests.inside] == [outside[-1].getsockname()]
    await eventually(lambda: len(guests.inside) == len(outside), within=20)
    door.close()
    for visitor, transport in zip(outside, guests.inside, strict=True):
        visitor.close()
        transport.close()


async def test_closed(listener: socket.socket) -> None:
    """Behind a closed door nobody enters, and who is in stays."""
    guests = Guests()
    door = Acceptor(listener, guests)
    door.open()
    address = listener.getsockname()
    (first,) = await arrive(address, 1)
    await eventually(lambda: len(guests.inside) == 1)
    door.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address)
    assert not guests.inside[0].is_closing()
    first.close()
    guests.inside[0].close()


class Exhausted(socket.socket):
    """Refuse to accept at first, as a process does that may open no more files."""

    refusals = 2

    def accept(self) -> tuple[socket.socket, object]:
        """Refuse, or accept."""
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


async def test_no_more_files() -> None:
    """Where no more files may be opened the door waits, without spinning, and lets in who waited."""
    with Exhausted() as listener:
        listener.bind(("127.0.0.1", 0))
        guests = Guests()
        door = Acceptor(listener, guests)
        door.open()
        (outside,) = await arrive(listener.getsockname(), 1)
        await eventually(lambda: len(guests.inside) == 1)
        assert listener.refusals == 0
        door.close()
        outside.close()
        guests.inside[0].close()
