"""Write buffers on real sockets: what is sent at once, what the transport buffers, and the order of both."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, cast

import pytest

from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer, WriteScheduler
from channels.protocol import codes
from tests.support.both_loops import on_both_loops
from tests.support.eventually import eventually
from tests.support.memory_transport import MemoryTransport
from tests.support.plain_message import message

SMALL = b"small."
LARGE = b"L" * 300_000  # more than the sockets of both ends take


class Scene:
    """A write buffer at one end of a connection, whose other end the test reads."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far = near, far
        self.sent: list[int] = []
        self.scheduler = WriteScheduler(self.sent.append, linger=5)
        self.transport: asyncio.Transport
        self.buffer: WriteBuffer

    async def open(self) -> None:
        """Take the near end."""
        loop = asyncio.get_running_loop()
        made, _ = await loop.create_connection(asyncio.Protocol, sock=self.near)
        self.transport = made
        self.buffer = WriteBuffer(cast(WireFormat, object()), made, self.scheduler)

    def send(self, data: bytes, *, more: bool = False) -> None:
        """Send to this buffer alone."""
        self.scheduler.send_to_all([self.buffer], message(data), more=more)

    def arrived(self) -> bytes:
        """Return what has arrived so far, without a turn of the event loop."""
        data = b""
        with suppress(BlockingIOError):
            while piece := self.far.recv(1 << 20):
                data += piece
        return data

    async def arrives(self, size: int) -> bytes:
        """Return the next bytes."""
        data = b""
        while len(data) < size:
            await asyncio.sleep(0)
            data += self.arrived()
        return data


@asynccontextmanager
async def connected() -> AsyncIterator[Scene]:
    """A connected pair."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    near.setblocking(False)
    far.setblocking(False)
    scene = Scene(near, far)
    await scene.open()
    try:
        yield scene
    finally:
        scene.transport.abort()
        far.close()
        await asyncio.sleep(0)


while_connected = on_both_loops(connected)


@while_connected
async def test_a_single_message_is_written_at_once(scene: Scene) -> None:
    """A single message is in the kernel when the call returns, and is counted."""
    for number in range(3):
        scene.send(b"%d" % number)
    assert scene.arrived() == b"012"
    assert scene.sent == [1, 1, 1]


@while_connected
async def test_messages_with_more_are_combined(scene: Scene) -> None:
    """Messages with `more` wait for the last one, and none overtakes what was put before."""
    scene.send(b"alone.")
    assert scene.arrived() == b"alone."
    for number in range(3):
        scene.send(b"%d" % number, more=number < 2)
        assert scene.arrived() == b""
    assert await scene.arrives(3) == b"012"
    scene.buffer.put(b"put.")
    scene.send(b"3")
    assert scene.arrived() == b""
    assert await scene.arrives(5) == b"put.3"
    assert sum(scene.sent) == 6


@while_connected
async def test_what_the_socket_does_not_take_is_kept_in_order(scene: Scene) -> None:
    """Messages wait behind a partly written one; once all is written, they are sent at once again."""
    scene.send(SMALL)
    scene.send(LARGE)
    assert scene.transport.get_write_buffer_size() > 0
    begun = scene.arrived()  # so that the socket could take more before the transport knows
    scene.send(SMALL)
    scene.buffer.put(b"put.")
    expected = SMALL + LARGE + SMALL + b"put."
    assert begun + await scene.arrives(len(expected) - len(begun)) == expected
    await eventually(lambda: scene.transport.get_write_buffer_size() == 0)
    for _ in range(2):
        scene.send(SMALL)
    assert scene.arrived() == SMALL * 2


@while_connected
async def test_what_the_transport_was_given_is_not_overtaken(scene: Scene) -> None:
    """Bytes that were written to the transport directly are sent before the first message."""
    scene.transport.write(LARGE)
    begun = scene.arrived()
    scene.send(SMALL)
    expected = LARGE + SMALL
    assert begun + await scene.arrives(len(expected) - len(begun)) == expected


@while_connected
async def test_a_close_message_is_last(scene: Scene) -> None:
    """Sent messages precede the close message, and nothing follows it."""

    class Farewell:
        closes_by_frame = True

        def close_message(self, _disconnect: codes.Disconnect) -> bytes:
            return b"bye"

    scene.buffer.wire_format = cast(WireFormat, Farewell())
    scene.send(SMALL)
    scene.buffer.put(b"put.")
    scene.buffer.close(codes.SHUTDOWN)
    scene.send(SMALL)
    assert await scene.arrives(13) == SMALL + b"put.bye"


@while_connected
async def test_a_descriptor_is_not_used_after_the_loss(scene: Scene) -> None:
    """Until `connection_lost` the descriptor is this connection's; a closed buffer never writes to it again.

    The kernel gives the same descriptor to the next connection, which may be another client's.
    """
    lost = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            scene.send(SMALL)  # to a socket that is closed for writing, but not to another one
            lost.set_result(os.fstat(number))
            scene.buffer.mark_closed(codes.NORMAL)

    number = scene.near.fileno()
    before = os.fstat(number)
    stranger, peer = socket.socketpair()
    with stranger, peer:
        scene.transport.set_protocol(Protocol())
        scene.send(SMALL)
        scene.transport.abort()
        assert (await lost).st_ino == before.st_ino
        await eventually(lambda: not _is_open(number))
        os.dup2(stranger.fileno(), number)
        scene.send(SMALL)
        scene.buffer.put(SMALL)
        await asyncio.sleep(0)
        os.close(number)
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(100)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@while_connected
async def test_a_broken_socket_ends(scene: Scene) -> None:
    """After a reset nothing more is written, and the transport is aborted when the linger time is over."""
    scene.scheduler.linger = 0.05
    scene.transport.pause_reading()  # so that only the write meets the error
    scene.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    scene.far.close()
    scene.send(SMALL)
    assert scene.buffer.closed_with is codes.NORMAL
    assert not scene.transport.is_closing()
    scene.send(SMALL)
    await eventually(scene.transport.is_closing)


class Encrypting(MemoryTransport):
    """A transport with a socket that only it may write to."""

    def __init__(self, peer: socket.socket) -> None:
        super().__init__()
        self._peer = peer

    def get_extra_info(self, name: str) -> Any:
        """Return a socket and a TLS context."""
        return {"socket": self._peer, "sslcontext": object()}.get(name)


async def test_encryption_is_not_bypassed() -> None:
    """With TLS, every byte goes through the transport."""
    here, there = socket.socketpair()
    with here, there:
        transport = Encrypting(here)
        scheduler = WriteScheduler(lambda _: None, linger=5)
        buffer = WriteBuffer(cast(WireFormat, object()), transport, scheduler)
        for _ in range(2):
            scheduler.send_to_all([buffer], message(SMALL))
        assert transport.writes == [SMALL, SMALL]
        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(100)
