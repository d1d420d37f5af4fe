"""A circuit breaker: after several failures in a row, calls are refused for a while instead of waiting in vain."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 5  # in a row, after which calls are refused
PAUSE = 2.0  # seconds until one call may try again; further ones are refused until it succeeds


class Breaker:
    """State of the calls to one store: closed (calls are allowed), or open since a moment."""

    def __init__(
        self, *, failures: int = FAILURES, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._next_trial = 0.0

    def allows(self) -> bool:
        """Return whether a call may be made now; while the breaker is open, one call in each pause."""
        if self._failures < self._limit:
            return True
        now = self._clock()
        if now < self._next_trial:
            return False
        self._next_trial = now + self._pause
        return True

    def succeeded(self) -> None:
        """Record that the store has answered."""
        self._failures = 0

    def failed(self) -> None:
        """Record that the store has not answered."""
        self._failures += 1
        self._next_trial = self._clock() + self._pause  # counts once the breaker is open
