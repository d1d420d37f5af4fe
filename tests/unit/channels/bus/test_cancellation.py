"""Cancellation of loops around Redis commands: nothing between the loop and the socket swallows it."""

from __future__ import annotations

import asyncio

import pytest

from storage.redis.connection import RedisConnection, encode_command
from tests.support.eventually import DEADLINE


class _Sink(asyncio.Transport):
    """A transport that accepts every write."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drop the data."""

    def get_write_buffer_size(self) -> int:
        """Return 0: nothing is ever unsent."""
        return 0


def _answer(wire: RedisConnection, data: bytes) -> None:
    wire.get_buffer(-1)[: len(data)] = data
    wire.buffer_updated(len(data))


async def test_cancellation_in_the_turn_of_the_answer() -> None:
    """A cancellation that arrives in the same turn of the event loop as the answer ends the caller (bpo-37658)."""
    wire = RedisConnection(5)
    wire.connection_made(_Sink())
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while True:
            await wire.send(encode_command("PING"))
            rounds += 1

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    _answer(wire, b"+PONG\r\n")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE)
    assert rounds == 0
