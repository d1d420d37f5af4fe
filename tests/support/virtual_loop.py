"""An event loop whose clock stands still while there is work and leaps when there is none: hours in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _LeapingSelector(selectors.SelectSelector):
    """Watch no socket: to wait for the next timer is to move the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass; raise RuntimeError when nothing would ever happen again."""
        if timeout is None:
            raise RuntimeError("everything waits, and no timer will end it")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Run timers in their order without waiting; nothing here may use a socket or a thread."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._leaping.now

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing could run, as when a handler computes."""
        self._leaping.now += seconds


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


async def turns(count: int) -> None:
    """Let the loop go round so many times, without time passing."""
    for _ in range(count):
        await asyncio.sleep(0)
