"""Closing of all connections at a limited rate, so that their clients do not reconnect all at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from channels.connection.connection import Connection
from channels.protocol import codes

_STEP = 0.01  # seconds, the shortest sleep
_LATE = 0.05  # seconds of delay that are caught up with


def departure_times(count: int, *, seconds: float, rate: float, draw: Callable[[], float]) -> list[float]:
    """Return when each of `count` connections is closed, in seconds from now, ascending.

    They are spread evenly over `seconds`, or over longer if that would be more than `rate` a second. Each is closed at
    a random moment of its share of the time (`draw` returns 0–1), so that processes do not close in step.
    """
    window = max(seconds, count / rate)
    return [(number + draw()) * window / count for number in range(count)]


async def drain(connections: Callable[[], Sequence[Connection]], *, seconds: float, rate: float) -> None:
    """Close all connections with 3001 at a limited rate; call it once no new ones are accepted."""
    # Repeated until none is open: a handshake may have been in progress when the first round began.
    while remaining := [connection for connection in connections() if connection.closed_with is None]:
        await close_paced(remaining, seconds=seconds, rate=rate)
        seconds = 0.0  # the few that are left need no window of their own


async def close_paced(connections: Sequence[Connection], *, seconds: float, rate: float) -> None:
    """Close these connections with 3001, in random order, at that rate.

    Connections that end by themselves meanwhile are skipped without waiting for their moment. If the event loop was
    late, the others are closed later too: catching up would close them all at once.
    """
    order = random.sample(connections, len(connections))
    times = departure_times(len(order), seconds=seconds, rate=rate, draw=random.random)
    clock = asyncio.get_running_loop().time
    start = clock()
    for connection, due in zip(order, times, strict=True):
        # Checked here and not before the loop, since each step may last.
        if connection.closed_with is not None:
            continue
        late = clock() - start - due
        if late < 0:
            await asyncio.sleep(max(-late, _STEP))  # those due within one step are closed together
        elif late > _LATE:
            start += late
        connection.close(codes.SHUTDOWN)
