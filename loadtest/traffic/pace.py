"""Do something so many times a second, whether or not what was begun before is finished."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

MOST_AT_ONCE = 1000  # acts of one kind under way; a service that answers none would otherwise fill our memory
_NAP = 0.1  # seconds after which a wait looks whether it is to stop


async def pace(rate: float, stop: asyncio.Event) -> AsyncIterator[int]:
    """Yield 0, 1, 2 … at their due moments, `rate` a second, until stopped; after a delay it catches up."""
    began = time.monotonic()
    number = 0
    while not stop.is_set():
        wait = began + number / rate - time.monotonic()
        await asyncio.sleep(min(max(wait, 0.0), _NAP))
        if wait <= _NAP and not stop.is_set():
            yield number
            number += 1


async def keep_acting(
    rate: float, stop: asyncio.Event, act: Callable[[], Awaitable[None]], held_back: Callable[[], None]
) -> None:
    """Begin an act `rate` times a second until stopped, and return when all that were begun are finished.

    Calls `held_back` instead of beginning another one where too many are under way.
    """
    under_way: set[asyncio.Task[None]] = set()

    async def one() -> None:
        await act()

    async with asyncio.TaskGroup() as group:
        async for _ in pace(rate, stop):
            if len(under_way) >= MOST_AT_ONCE:
                held_back()
                continue
            task = group.create_task(one())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
