"""How long an event loop was kept from what is due, looked at every few milliseconds from within it."""

from __future__ import annotations

import asyncio
import os
import time

INTERVAL = 0.005  # seconds between two looks
_SCHEDULER = "/proc/thread-self/schedstat"


class StallWatch:
    """Remember the longest lateness, in seconds.

    The time that the thread stood ready while the kernel gave its core to another process is taken off: on a
    machine that others use it says nothing about the loop.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        scheduler = os.open(_SCHEDULER, os.O_RDONLY)
        try:
            waited = _waited(scheduler)
            while True:
                due = time.monotonic() + INTERVAL
                await asyncio.sleep(INTERVAL)
                late, before, waited = time.monotonic() - due, waited, _waited(scheduler)
                self.longest = max(self.longest, late - (waited - before))
        finally:
            os.close(scheduler)


def _waited(scheduler: int) -> float:
    """Return the seconds that this thread has stood ready without a core: the second figure, in nanoseconds."""
    return int(os.pread(scheduler, 100, 0).split()[1]) / 1e9
