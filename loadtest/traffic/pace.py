"""Start acts at a fixed rate, whether or not earlier ones have finished."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

MAX_CONCURRENT = 1000  # acts of one kind; otherwise a service that does not respond would fill the memory
_NAP = 0.1  # seconds between two checks of `stop`


async def pace(rate: float, stop: asyncio.Event) -> AsyncIterator[int]:
    """Yield 0, 1, 2 … when they are due, `rate` a second, until stopped; after a delay it catches up."""
    began = time.monotonic()
    number = 0
    while not stop.is_set():
        wait = began + number / rate - time.monotonic()
        await asyncio.sleep(min(max(wait, 0.0), _NAP))
        if wait <= _NAP and not stop.is_set():
            yield number
            number += 1


async def act_at_rate(
    rate: float, stop: asyncio.Event, act: Callable[[], Awaitable[None]], held_back: Callable[[], None]
) -> None:
    """Start an act `rate` times a second until stopped, and return when all of them have finished.

    Call `held_back` instead of starting another one while too many are in progress.
    """
    running: set[asyncio.Task[None]] = set()

    async def one() -> None:
        await act()

    async with asyncio.TaskGroup() as group:
        async for _ in pace(rate, stop):
            if len(running) >= MAX_CONCURRENT:
                held_back()
                continue
            task = group.create_task(one())
            running.add(task)
            task.add_done_callback(running.discard)
