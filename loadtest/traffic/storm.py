"""Storms: many sockets are cut at one moment, as when a network or a process fails, and all reconnect at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from loadtest import names
from loadtest.client.connection import LoadSocket
from loadtest.measures.measures import Measures


def moments(every: float, seconds: float) -> list[float]:
    """Return when storms begin, in seconds of a test of `seconds`; the last leaves half an interval to recover."""
    if every <= 0:
        return []
    count = int((seconds - every / 2) / every)
    return [every * number for number in range(1, count + 1)] or ([seconds / 2] if seconds > 0 else [])


async def storms(
    sockets: Sequence[LoadSocket], at: Sequence[float], share: float, stop: asyncio.Event, measures: Measures
) -> None:
    """Cut a share (0–1) of the sockets at each of the moments, seconds from now."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for moment in at:
        try:
            async with asyncio.timeout_at(began + moment):
                await stop.wait()
        except TimeoutError:
            chosen = random.sample(sockets, round(len(sockets) * share))
            measures.count(names.CUT, sum(socket.cut() for socket in chosen))
        else:
            return
