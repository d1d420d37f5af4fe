"""Wait for a condition with a deadline instead of sleeping for a fixed time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

# Seconds for what has to happen at some time: only a test that fails waits for so long, however busy the machine is.
DEADLINE = 60.0
# Seconds for what has to happen at once: fewer than the deadlines (10) and periods of the service.
PROMPTLY = 8.0
# Seconds between two calls. Those that send requests take processor time from what they wait for, so they get rarer.
_PAUSE = 0.01
_LONGEST_PAUSE = 0.1
_GROWTH = 1.2

T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T]], *, within: float = DEADLINE) -> T: ...


@overload
async def eventually(check: Callable[[], T], *, within: float = DEADLINE) -> T: ...


async def eventually(check: Callable[[], T | Awaitable[T]], *, within: float = DEADLINE) -> T:
    """Call `check` until it returns a true value and return this value; fail after `within` seconds.

    A `check` that raises AssertionError is repeated; the failure contains its last error or value.
    """
    last: object = None
    pause = _PAUSE
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    outcome = check()
                    if inspect.isawaitable(outcome):
                        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
                        outcome = await outcome
                    value = cast("T", outcome)
                    if value:
                        return value
                    last = value
                except AssertionError as error:
                    last = error
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(f"not so within {within} s: {last!r}") from None
