"""Let many in, but only so many at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Doorway:
    """Start what is queued, at most `width` at a time; whoever is through says so by `passed`."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._queue: deque[Callable[[], None]] = deque()
        self._inside = 0

    @property
    def clear(self) -> bool:
        """Tell whether all are through."""
        return not self._queue and not self._inside

    def enter(self, start: Callable[[], None]) -> None:
        """Have `start` called now or when its turn comes."""
        self._queue.append(start)
        self._admit()

    def passed(self) -> None:
        """Note that one is through, or gave up."""
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._inside < self._width:
            self._inside += 1
            self._queue.popleft()()
