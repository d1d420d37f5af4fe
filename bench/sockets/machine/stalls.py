"""Stalls of an event loop: the delay of a short timer that runs within it."""

from __future__ import annotations

import asyncio
import gc
import os
import time

INTERVAL = 0.01  # seconds; the timer's interval
_SCHEDULER = "/proc/thread-self/schedstat"


class StallWatch:
    """Records the longest delay of the timer, in seconds.

    The time for which the thread was runnable but had no core is subtracted: on a shared machine it says nothing about
    the loop. The timer is a bare callback, since its cost counts as the server's.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Run the timer until cancelled."""
        loop = asyncio.get_running_loop()
        scheduler = os.open(_SCHEDULER, os.O_RDONLY)
        timer: asyncio.TimerHandle | None = None

        def check(due: float, before: float) -> None:
            nonlocal timer
            now, waited = _clocks(scheduler)
            self.longest = max(self.longest, now - due - (waited - before))
            timer = loop.call_later(INTERVAL, check, now + INTERVAL, waited)

        check(*_clocks(scheduler))
        try:
            await loop.create_future()
        finally:
            if timer is not None:
                timer.cancel()
            os.close(scheduler)


class CollectionWatch:
    """Records the longest run of the garbage collector, in seconds of CPU time: a stall with a known cause."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._started = 0.0

    def attach(self) -> None:
        """Start recording."""
        gc.callbacks.append(self._on_collection)

    def detach(self) -> None:
        """Stop recording."""
        gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, _info: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._started = now
        else:
            self.longest = max(self.longest, now - self._started)


def _clocks(scheduler: int) -> tuple[float, float]:
    """Return the time, and for how long this thread had waited for a core by then."""
    # A wait between the two readings would be in one of them alone, and hide as much of a stall.
    while True:
        waited, now = _waited(scheduler), time.monotonic()
        if _waited(scheduler) == waited:
            return now, waited


def _waited(scheduler: int) -> float:
    """Return for how many seconds this thread was runnable without a core (the file's second field, in ns)."""
    return int(os.pread(scheduler, 100, 0).split()[1]) / 1e9
