"""Close connections at a pace, so that those who come back do not all come at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from channels.connection.connection import Connection
from channels.protocol import codes

_STEP = 0.01  # seconds, the shortest sleep
_LATE = 0.05  # seconds that may be caught up with


def departure_times(count: int, *, seconds: float, rate: float, draw: Callable[[], float]) -> list[float]:
    """Return when each of `count` connections is closed, in seconds from now, ascending.

    They spread evenly over `seconds`, or over longer where that would be more than `rate` a second; each at a
    random moment (`draw` gives 0–1) of its own share of the time, so that no two processes keep step.
    """
    window = max(seconds, count / rate)
    return [(number + draw()) * window / count for number in range(count)]


async def drain(connections: Callable[[], Sequence[Connection]], *, seconds: float, rate: float) -> None:
    """Close all connections with 3001 at a pace; call it when no new ones are taken.

    `connections` is asked again at the end: a handshake may have been under way at the beginning.
    """
    while remaining := [connection for connection in connections() if connection.closed_with is None]:
        await close_paced(remaining, seconds=seconds, rate=rate)
        seconds = 0.0  # the few that are left need no window of their own


async def close_paced(connections: Sequence[Connection], *, seconds: float, rate: float) -> None:
    """Close these with 3001, in random order, at that pace.

    Those that end by themselves meanwhile are passed over, and nobody waits for their moment. Where the event loop
    was late, the others leave later: who would make up for lost time would send them all at once.
    """
    order = random.sample(connections, len(connections))
    times = departure_times(len(order), seconds=seconds, rate=rate, draw=random.random)
    clock = asyncio.get_running_loop().time
    begun = clock()
    for connection, due in zip(order, times, strict=True):
        if connection.closed_with is not None:
            continue
        late = clock() - begun - due
        if late < 0:
            await asyncio.sleep(max(-late, _STEP))  # those due within a step are closed together
        elif late > _LATE:
            begun += late
        connection.close(codes.SHUTDOWN)
