"""Messages to many connections: in batches, and in order for each."""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest

from channels.connection import write_buffer as buffer_module
from channels.connection.wire_format import WireFormat
from channels.connection.write_buffer import WriteBuffer, WriteScheduler
from channels.protocol import codes
from channels.protocol.codes import Disconnect
from tests.support.eventually import eventually
from tests.support.memory_transport import MemoryTransport
from tests.support.plain_message import message


def many(count: int, sent: list[int]) -> tuple[WriteScheduler, list[WriteBuffer], list[MemoryTransport]]:
    """Return buffers in one wire format that share a scheduler."""
    scheduler, wire_format = WriteScheduler(sent.append, linger=5), PlainFormat()
    transports = [MemoryTransport() for _ in range(count)]
    return (
        scheduler,
        [WriteBuffer(cast(WireFormat, wire_format), transport, scheduler) for transport in transports],
        transports,
    )


class PlainFormat:
    """A wire format with a short close message."""

    closes_by_frame = True

    def close_message(self, _disconnect: Disconnect) -> bytes:
        """Return one byte."""
        return b"."


async def test_many_are_written_in_batches() -> None:
    """A message to many is written in batches; one that follows overtakes it on no connection."""
    sent: list[int] = []
    scheduler, buffers, transports = many(4500, sent)
    scheduler.send_to_all(buffers, message(b"1"))
    assert sum(bool(transport.writes) for transport in transports) == 1000
    scheduler.send_to_all(buffers, message(b"2"))
    await eventually(lambda: sum(sent) == 9000)
    assert all(b"".join(transport.writes) == b"12" for transport in transports)
    assert transports[-1].writes == [b"12"]  # in one: the second had to wait for the first


async def test_a_close_during_a_batch_loses_nothing() -> None:
    """A closed connection first gets the message that has not reached it yet, then newer ones and the close message."""
    scheduler, buffers, transports = many(1001, [])
    scheduler.send_to_all(buffers, message(b"1"))
    buffers[-1].put(b"2")
    buffers[-1].close(codes.SHUTDOWN)
    assert b"".join(transports[-1].writes) == b"12."


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_overtaken(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Messages to one, some or all connections arrive complete and in order, up to the close message."""
    monkeypatch.setattr(buffer_module, "_BATCH", 3)
    monkeypatch.setattr(buffer_module, "_FEW", 2)
    draw, sent = random.Random(seed), list[int]()
    scheduler, buffers, transports = many(12, sent)
    expected = [b""] * 12
    for number in range(300):
        data = b"%d," % number
        act, one = draw.randrange(12), draw.randrange(12)
        if act < 5:
            those = range(12) if act < 2 else draw.sample(range(12), draw.randrange(1, 12))
            scheduler.send_to_all([buffers[at] for at in those], message(data), more=draw.random() < 0.3)
        elif act < 8:
            those = [one]
            buffers[one].put(data)
        elif act == 8 and draw.random() < 0.2:
            those, data = [one], b"."
            buffers[one].close(codes.SHUTDOWN)
        else:
            those = []
            await asyncio.sleep(0)
        for at in those:
            if not expected[at].endswith(b"."):
                expected[at] += data
    for _ in range(20):
        await asyncio.sleep(0)
    assert [b"".join(transport.writes) for transport in transports] == expected
    assert sum(sent) == sum(text.count(b",") for text in expected)
