"""A limit on how many operations run at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class ConcurrencyLimit:
    """Queue of operations of which at most `most` run at a time; the end of each is reported by `finished`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._queue: deque[Callable[[], None]] = deque()
        self._running = 0

    @property
    def idle(self) -> bool:
        """Return whether no operation is queued or running."""
        return not self._queue and not self._running

    def start(self, operation: Callable[[], None]) -> None:
        """Call `operation` now, or as soon as the limit allows."""
        self._queue.append(operation)
        self._start_next()

    def finished(self) -> None:
        """Record that one operation has ended, successfully or not."""
        self._running -= 1
        self._start_next()

    def _start_next(self) -> None:
        while self._queue and self._running < self._most:
            self._running += 1
            self._queue.popleft()()
