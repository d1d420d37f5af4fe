"""Close connections at a pace, so that those who come back do not all come at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from channels.connection import Connection
from channels.protocol import codes

_STEP = 0.01  # seconds, the shortest sleep


def departure_times(count: int, *, seconds: float, rate: float, draw: Callable[[], float]) -> list[float]:
    """Return when each of `count` connections is closed, in seconds from now, ascending.

    They spread evenly over `seconds`, or over longer where that would be more than `rate` a second; each at a
    random moment (`draw` gives 0–1) of its own share of the time, so that no two processes keep step.
    """
    window = max(seconds, count / rate)
    return [(number + draw()) * window / count for number in range(count)]


async def close_paced(connections: Sequence[Connection], *, seconds: float, rate: float) -> None:
    """Close all with 3001, in random order, at that pace; those that end by themselves meanwhile are passed over."""
    order = random.sample(connections, len(connections))
    times = departure_times(len(order), seconds=seconds, rate=rate, draw=random.random)
    clock = asyncio.get_running_loop().time
    begun = clock()
    for connection, due in zip(order, times, strict=True):
        if (wait := begun + due - clock()) > 0:
            await asyncio.sleep(max(wait, _STEP))  # those due within a step are closed together
        connection.close(codes.SHUTDOWN)
