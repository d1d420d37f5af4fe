"""The rate of draining: evenly spread, never above the limit, jittered within each connection's share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.connection.connection import Connection
from channels.connection.drain import close_paced, departure_times, drain
from channels.connection.write_buffer import WriteScheduler
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.codec_json import JsonCodec
from channels.protocol.core import ProtocolCore
from channels.transports.websocket_format import WebSocketFormat
from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_loop import VirtualLoop, run_virtually

STEP = 0.01  # seconds; connections due within it may be closed together


class Clients:
    """Connections, and when each was closed."""

    def __init__(self, count: int) -> None:
        self.closed_at: list[float] = []
        self.all = [self.connection() for _ in range(count)]

    def connection(self) -> Connection:
        """Return a connection that records its closing time."""
        clients = self

        class Clocked(MemoryTransport):
            def write(self, data: bytes) -> None:
                clients.closed_at.append(asyncio.get_running_loop().time())
                super().write(data)

        core, scheduler = ProtocolCore(rate=1, burst=1, now=0), WriteScheduler(lambda _: None, linger=1)
        return Connection(WebSocketFormat(JsonCodec()), Clocked(), core, scheduler, LiveSettings())


def busiest_second(times: Sequence[float]) -> int:
    """Return the greatest number of these moments within one second."""
    return max(sum(first <= time < first + 1 for time in times) for first in times)


@pytest.mark.parametrize(
    ("count", "seconds", "rate", "times"),
    [
        (0, 3.0, 10.0, []),
        (4, 2.0, 10.0, [0.25, 0.75, 1.25, 1.75]),  # a share is 2 s ÷ 4, and the moment is its middle
        (4, 0.0, 10.0, [0.05, 0.15, 0.25, 0.35]),  # no window: the rate alone
        (40, 1.0, 10.0, [0.05 + number / 10 for number in range(40)]),  # 40 ÷ 10 a second takes longer than 1 s
    ],
)
def test_even_shares(count: int, seconds: float, rate: float, times: list[float]) -> None:
    """Each connection has an equal share of the window, which is extended if the rate requires it."""
    assert departure_times(count, seconds=seconds, rate=rate, draw=lambda: 0.5) == pytest.approx(times)


@given(st.integers(1, 100), st.floats(0, 20), st.floats(1, 1000), st.integers(0, 1000))
def test_never_above_the_rate(count: int, seconds: float, rate: float, seed: int) -> None:
    """With any jitter, each is closed within its own share, and n of them take at least n − 1 shares."""
    times = departure_times(count, seconds=seconds, rate=rate, draw=random.Random(seed).random)
    share = max(seconds / count, 1 / rate)
    for number, time in enumerate(times):
        assert number * share * 0.999 <= time <= (number + 1) * share * 1.001
    assert max(times) <= max(seconds, count / rate) * 1.001


def test_closed_at_the_rate() -> None:
    """All connections are closed with 3001 over the window, and in no second more than the rate allows."""

    async def scene() -> Clients:
        clients = Clients(100)
        await close_paced(clients.all, seconds=1.0, rate=20)
        return clients

    clients = run_virtually(scene())
    assert {connection.closed_with for connection in clients.all} == {codes.SHUTDOWN}
    assert 4.9 <= max(clients.closed_at) <= 5 + STEP
    assert busiest_second(clients.closed_at) <= 20 + 1


def test_order_is_random() -> None:
    """The order of closing does not depend on the order of opening."""

    async def scene() -> list[Connection]:
        clients = Clients(50)
        task = asyncio.create_task(close_paced(clients.all, seconds=50, rate=20))
        await asyncio.sleep(25)
        task.cancel()
        return [connection for connection in clients.all[:25] if connection.closed_with is not None]

    assert 0 < len(run_virtually(scene())) < 25


def test_ended_connections_are_skipped() -> None:
    """A connection that ended by itself is neither closed again nor waited for."""

    async def scene() -> tuple[Clients, float]:
        clients = Clients(50)
        for connection in clients.all:
            connection.mark_closed(codes.NORMAL)
        await close_paced(clients.all, seconds=3600, rate=20)
        return clients, asyncio.get_running_loop().time()

    clients, seconds = run_virtually(scene())
    assert seconds == 0
    assert clients.closed_at == []


def test_after_a_stall() -> None:
    """After a stall of the event loop, the connections that are due by then are not closed all at once."""

    async def scene() -> list[float]:
        clients, loop = Clients(100), cast(VirtualLoop, asyncio.get_running_loop())
        loop.call_at(1.0, loop.stall, 3.0)
        await close_paced(clients.all, seconds=5.0, rate=1000)
        return clients.closed_at

    times = run_virtually(scene())
    assert len(times) == 100
    assert busiest_second(times) <= 20 + 2
    assert 7.8 <= max(times) <= 8 + 2 * STEP


def test_handshake_under_way() -> None:
    """A connection that is opened while the others are closed is closed too, without a window of its own."""

    async def scene() -> tuple[Clients, float]:
        clients = Clients(10)
        asyncio.get_running_loop().call_at(0.5, lambda: clients.all.append(clients.connection()))
        await drain(lambda: clients.all, seconds=2.0, rate=10)
        return clients, asyncio.get_running_loop().time()

    clients, seconds = run_virtually(scene())
    assert [connection.closed_with for connection in clients.all] == [codes.SHUTDOWN] * 11
    assert seconds <= 2.1 + 2 * STEP
