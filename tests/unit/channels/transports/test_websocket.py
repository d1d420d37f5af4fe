"""Frames of one WebSocket, without a socket: what is passed on to the connection manager."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from channels.connection.transport import Transport
from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer, WriteScheduler
from channels.protocol.codec_json import JsonCodec
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
        self.frames = 0
        self.messages: list[bytes | str] = []

    def open(self, wire_format: WireFormat, transport: Transport, _address: str) -> WriteBuffer:
        """Return the write buffer of a new connection."""
        return WriteBuffer(wire_format, transport, WriteScheduler(lambda _: None, linger=1))

    def received(self, _buffer: WriteBuffer, data: bytes | str) -> None:
        """Record a message."""
        self.messages.append(data)

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
