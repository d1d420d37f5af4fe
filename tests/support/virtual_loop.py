"""An event loop with a virtual clock that advances only when nothing is ready: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _LeapingSelector(selectors.SelectSelector):
    """A selector without sockets; waiting for the next timer sets the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Advance the clock; raise RuntimeError if nothing would ever happen again."""
        if timeout is None:
            raise RuntimeError("everything waits, and no timer will end it")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs timers in order without waiting; sockets and threads are not supported."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._leaping.now

    def stall(self, seconds: float) -> None:
        """Advance the clock without running anything, as a handler that computes does."""
        self._leaping.now += seconds


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


async def turns(count: int) -> None:
    """Run that many turns of the loop without advancing the clock."""
    for _ in range(count):
        await asyncio.sleep(0)
