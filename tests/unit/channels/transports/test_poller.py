"""Sockets that the poller reads, on both event loops: received data, batches, and the end of connections."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from channels.transports.poller import PolledProtocol, Poller
from tests.support.both_loops import on_both_loops
from tests.support.eventually import eventually

RESET = struct.pack("ii", 1, 0)  # linger for no time: close with RST


class Peer(PolledProtocol):
    """A protocol that records its callbacks; `act` may do something with each piece of data."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.received = b""
        self.kept_alive = 0
        self.calls: list[str] = []
        self.act: Callable[[], None] = lambda: None
        self.stays = False

    def has_received(self, data: bytes) -> bool:
        """Return whether exactly this was received."""
        return self.received == data

    def was_kept_alive(self, times: int) -> bool:
        """Return whether this number of keep-alive messages arrived."""
        return self.kept_alive == times

    def is_lost(self) -> bool:
        """Return whether only the loss was reported."""
        return self.calls == ["lost"]

    def data_received(self, data: bytes) -> None:
        """Record the data."""
        self.received += data
        self.act()

    def keepalive_received(self, data: bytes) -> bool:
        """Count a message that consists of a dot."""
        if data != b".":
            return False
        self.kept_alive += 1
        return True

    def eof_received(self) -> bool:
        """Record the call, and have the connection closed unless this end `stays`."""
        self.calls.append("eof")
        return self.stays

    def pause_writing(self) -> None:
        """Record the call."""
        self.calls.append("pause")

    def resume_writing(self) -> None:
        """Record the call."""
        self.calls.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        """Record the call."""
        self.calls.append("lost")


class Scene:
    """A poller with connections, near and far ends."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.peers: list[Peer] = []
        self.far: list[socket.socket] = []

    async def connect(self, count: int = 1) -> tuple[Peer, socket.socket]:
        """Adopt some connections; return the last one."""
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0), backlog=count) as server:
            for _ in range(count):
                near = socket.create_connection(server.getsockname())
                far, _ = server.accept()
                far.setblocking(False)
                inner, _ = await loop.create_connection(asyncio.Protocol, sock=near)
                peer = Peer()
                peer.transport = self.poller.adopt(inner, peer)
                self.peers.append(peer)
                self.far.append(far)
        return self.peers[-1], self.far[-1]


@asynccontextmanager
async def polling() -> AsyncIterator[Scene]:
    """A scene whose connections are aborted at the end."""
    scene = Scene()
    try:
        yield scene
    finally:
        for peer in scene.peers:
            peer.transport.abort()
        for far in scene.far:
            far.close()
        await eventually(lambda: all(peer.calls[-1:] == ["lost"] for peer in scene.peers))


while_polling = on_both_loops(polling)


@while_polling
async def test_everything_is_received_in_order(scene: Scene) -> None:
    """All data arrive, however much; replies are sent."""
    peer, far = await scene.connect()
    peer.act = lambda: peer.transport.write(b".")
    data = bytes(range(256)) * 400
    for start in range(0, len(data), 1000):
        far.send(data[start : start + 1000])
    await eventually(lambda: peer.received == data)
    assert set(far.recv(1000)) == set(b".")


@while_polling
async def test_reading_can_wait(scene: Scene) -> None:
    """While reading is paused nothing is received; afterwards everything is, also after repeated pauses."""
    peer, far = await scene.connect()
    other, other_far = await scene.connect()
    for _ in range(2):
        peer.transport.pause_reading()
    assert not peer.transport.is_reading()
    far.send(b"waits")
    other_far.send(b"received")
    await eventually(lambda: other.received == b"received")
    assert peer.received == b""
    for _ in range(2):
        peer.transport.resume_reading()
    await eventually(lambda: peer.received == b"waits")


@while_polling
async def test_many_sockets_take_turns(scene: Scene) -> None:
    """When many sockets are readable or closed, a few are read per turn, and each of them in the end."""
    await scene.connect(300)
    for far in scene.far:
        far.send(b"x")
    assert await _portions(lambda: sum(peer.received == b"x" for peer in scene.peers)) <= 64
    for far in scene.far:
        far.close()
    assert await _portions(lambda: sum("eof" in peer.calls for peer in scene.peers)) <= 64


async def _portions(count: Callable[[], int]) -> int:
    """Return the greatest growth of a count in one turn, until it is 300."""
    now = greatest = 0
    while now < 300:
        await asyncio.sleep(0)
        before, now = now, count()
        greatest = max(greatest, now - before)
    return greatest


@while_polling
async def test_a_peer_that_ends_its_side(scene: Scene) -> None:
    """The end of a stream is reported once, then the connection is closed; written data are sent before."""
    peer, far = await scene.connect()
    peer.transport.write(b"last")
    far.shutdown(socket.SHUT_WR)
    await eventually(lambda: peer.calls == ["eof", "lost"])
    assert far.recv(10) == b"last"
    assert far.recv(10) == b""
    peer, far = await scene.connect()
    peer.stays = True
    far.shutdown(socket.SHUT_WR)
    await eventually(lambda: "eof" in peer.calls)
    for _ in range(5):
        await asyncio.sleep(0)
    peer.transport.write(b"more")
    assert far.recv(10) == b"more"
    assert peer.calls == ["eof"]


@while_polling
async def test_a_connection_that_is_reset(scene: Scene) -> None:
    """A reset connection is reported as lost, also while reading is paused."""
    peer, far = await scene.connect()
    paused, paused_far = await scene.connect()
    paused.transport.pause_reading()
    for end in (far, paused_far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.close()
    await eventually(lambda: peer.calls == ["lost"])
    assert paused.calls == []
    paused.transport.resume_reading()
    await eventually(lambda: paused.calls == ["lost"])


@while_polling
async def test_descriptors_are_reused(scene: Scene) -> None:
    """A new connection with the descriptor of a closed one is watched, also after all were closed."""
    numbers = set()
    for _ in range(5):
        peer, far = await scene.connect()
        numbers.add(peer.transport.get_extra_info("socket").fileno())
        far.send(b"here")
        await eventually(partial(peer.has_received, b"here"))
        peer.transport.close()
        assert peer.transport.is_closing()
        peer.transport.resume_reading()  # as a request handler does that does not know of the end
        await eventually(peer.is_lost)
        peer.transport.resume_reading()
        assert not peer.transport.is_reading()
    assert len(numbers) < 5


@while_polling
async def test_one_may_close_another(scene: Scene) -> None:
    """Data of one connection may close others that are ready in the same turn."""
    await scene.connect(10)
    closed: list[Peer] = []

    def close_others(peer: Peer) -> None:
        for other in scene.peers:
            if other is not peer and not other.transport.is_closing():
                other.transport.abort()
                closed.append(other)

    for peer, far in zip(scene.peers, scene.far, strict=True):
        peer.act = partial(close_others, peer)
        far.send(b"x")
    await eventually(lambda: sum("lost" in peer.calls for peer in scene.peers) == 9)
    assert sum(peer.received == b"x" for peer in scene.peers) == 1
    assert len(closed) == 9


@while_polling
async def test_a_failing_protocol_costs_its_connection_alone(scene: Scene) -> None:
    """An exception in a protocol is reported and ends its connection only."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    peer, far = await scene.connect()
    other, other_far = await scene.connect()

    def fail() -> None:
        raise ZeroDivisionError

    peer.act = fail
    far.send(b"x")
    await eventually(lambda: peer.calls == ["lost"])
    assert isinstance(reported[0]["exception"], ZeroDivisionError)
    other_far.send(b"x")
    await eventually(lambda: other.received == b"x")


@while_polling
async def test_the_write_buffer_limit_is_reported(scene: Scene) -> None:
    """Exceeding the write buffer's limit is reported, and so is its end."""
    peer, far = await scene.connect()
    peer.transport.set_write_buffer_limits(high=100_000)
    peer.transport.write(b"x" * 10_000_000)
    await eventually(lambda: peer.calls == ["pause"])
    assert peer.transport.get_write_buffer_size() > 100_000

    def taken() -> bool:
        with suppress(BlockingIOError):
            far.recv(1 << 20)
        return peer.calls == ["pause", "resume"]

    await eventually(taken)


@while_polling
async def test_without_epoll_the_transport_reads(scene: Scene) -> None:
    """On a system without epoll the event loop reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(select, "epoll")
        peer, far = await scene.connect()
    far.send(b"x")
    await eventually(lambda: peer.received == b"x")
    far.close()
    await eventually(lambda: peer.calls == ["eof", "lost"])


@while_polling
async def test_keepalive_messages_are_handled_apart(scene: Scene) -> None:
    """Keep-alive messages and data arrive in any order, and nothing is lost between them."""
    await scene.connect(2)
    (one, far), (two, other) = zip(scene.peers, scene.far, strict=True)
    for number in range(1, 4):
        far.send(b".")
        await eventually(partial(one.was_kept_alive, 2 * number - 1))
        far.send(b".")
        other.send(b"data")
        await eventually(partial(one.was_kept_alive, 2 * number))
        await eventually(partial(two.has_received, b"data" * number))
    assert one.received == b""


@while_polling
async def test_keepalive_messages_are_gathered(scene: Scene) -> None:
    """After a turn with nothing but keep-alive messages the sockets are left alone until the pause has passed."""
    scene.poller = Poller(pause=3600)
    peer, far = await scene.connect()
    other, other_far = await scene.connect()
    other_far.send(b"at once")
    await eventually(lambda: other.received == b"at once")
    far.send(b".")
    await eventually(lambda: peer.kept_alive == 1)
    far.send(b".")
    other_far.send(b"later")
    for _ in range(20):
        await asyncio.sleep(0)
    assert (peer.kept_alive, other.received) == (1, b"at once")
    peer.transport.abort()
    other.transport.abort()
    await eventually(lambda: peer.is_lost() and other.is_lost())
    again, far = await scene.connect()
    far.send(b"x")
    await eventually(lambda: again.received == b"x")
