"""Frames of one WebSocket, without a socket: what is passed on to the connection manager."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer, WriteScheduler
from channels.protocol.codec import Codec
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.transports.websocket import WebSocketProtocol
from channels.transports.websocket_format import WebSocketFormat, pong_frame
from tests.support.memory_transport import MemoryTransport


class BoundedTransport(MemoryTransport):
    """A transport whose write buffer can be limited."""

    def set_write_buffer_limits(self, high: int) -> None:
        """Accept the limit."""


class FakeManager:
    """Records what the transport reports."""

    def __init__(self) -> None:
        self.frames = self.pongs = 0
        self.pong_due = False
        self.messages: list[bytes | str] = []

    def open(self, wire_format: WireFormat, transport: Transport, _address: str) -> WriteBuffer:
        """Return the write buffer of a new connection."""
        return WriteBuffer(wire_format, transport, WriteScheduler(lambda _: None, linger=1))

    def received(self, _buffer: WriteBuffer, data: bytes | str) -> None:
        """Record a message."""
        self.messages.append(data)

    def pong(self, _buffer: WriteBuffer) -> bool:
        """Count a pong, unless none is due."""
        self.pongs += self.pong_due
        return self.pong_due

    def control_frame(self, _buffer: WriteBuffer) -> None:
        """Count a control frame."""
        self.frames += 1

    def slow_consumer(self, _buffer: WriteBuffer) -> None:
        """Do nothing."""

    def lost(self, _buffer: WriteBuffer) -> None:
        """Do nothing."""


def frame(first: int, payload: bytes) -> bytes:
    """Return a client's frame, masked with zeros."""
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


CODECS: list[Codec] = [JsonCodec(), ProtobufCodec(), MsgpackCodec()]


def pong_of(codec: Codec, mask: bytes = b"\x00\x01\x02\x03") -> bytes:
    """Return a client's pong."""
    payload = bytes(byte ^ mask[place] for place, byte in enumerate(codec.pong))
    return bytes((0x82 if codec.binary else 0x81, 0x80 | len(payload))) + mask + payload


@pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])
@pytest.mark.parametrize("due", [True, False], ids=["due", "not due"])
async def test_a_pong_that_is_due_is_not_decoded(codec: Codec, due: bool) -> None:
    """A pong of any codec that is due and arrives alone is handled as such; every other one is passed on."""
    manager, transport = FakeManager(), BoundedTransport()
    protocol = WebSocketProtocol(manager, WebSocketFormat(codec), "", limit=1000, unsent=1000)
    protocol.connection_made(cast(asyncio.BaseTransport, transport))
    manager.pong_due = due
    message = codec.pong if codec.binary else codec.pong.decode()
    assert protocol.keepalive_received(pong_of(codec)) is due
    protocol.data_received(pong_of(codec, b"\xff\x00\xaa\x55"))
    assert (manager.pongs, manager.messages) == ((2, []) if due else (0, [message]))
    manager.pongs, manager.messages = 0, []
    protocol.data_received(pong_of(codec) * 2)
    assert (manager.pongs, manager.messages) == (0, [message] * 2)


async def test_a_pong_within_a_message_is_not_one() -> None:
    """The bytes of a pong are data while a frame is incomplete, and ignored once the connection is closing."""
    manager, transport = FakeManager(), BoundedTransport()
    manager.pong_due = True
    protocol = WebSocketProtocol(manager, WebSocketFormat(JsonCodec()), "", limit=1000, unsent=1000)
    protocol.connection_made(cast(asyncio.BaseTransport, transport))
    pong = pong_of(JsonCodec())
    whole = frame(0x82, b"x" * 10 + pong)
    protocol.data_received(whole[:-8])
    protocol.data_received(pong)
    assert (manager.pongs, manager.messages) == (0, [b"x" * 10 + pong])
    protocol.data_received(frame(0x88, b""))
    protocol.data_received(pong)
    assert (manager.pongs, len(manager.messages)) == (0, 1)


@pytest.mark.parametrize(
    "other",
    [
        frame(0x81, b"[]"),
        frame(0x81, b"{]"),
        frame(0x82, b"{}"),
        frame(0x01, b"{}"),
        b"\x81\x02{}",
        frame(0x81, b"{} "),
    ],
)
def test_what_is_no_pong(other: bytes) -> None:
    """Anything but the shortest pong in one masked frame of the right kind is not recognised."""
    assert not WebSocketFormat(JsonCodec()).is_pong(other)
    assert WebSocketFormat(JsonCodec()).is_pong(frame(0x81, b"{}"))


@pytest.mark.parametrize(("first", "answers"), [(0x89, [pong_frame(b"x")]), (0x8A, [])], ids=["ping", "pong"])
async def test_control_frames_are_counted(first: int, answers: list[bytes]) -> None:
    """Each ping and pong frame is reported to be counted against the rate, and is no message; a ping is answered."""
    manager, transport = FakeManager(), BoundedTransport()
    protocol = WebSocketProtocol(manager, WebSocketFormat(JsonCodec()), "", limit=1000, unsent=1000)
    protocol.connection_made(cast(asyncio.BaseTransport, transport))
    protocol.data_received(frame(first, b"x"))
    await asyncio.sleep(0)
    assert (manager.frames, manager.messages, transport.writes) == (1, [], answers)
    protocol.data_received(frame(first, b"x") * 2 + frame(0x81, b"{}"))
    assert (manager.frames, manager.messages) == (3, ["{}"])
