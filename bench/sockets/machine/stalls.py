"""How long an event loop was kept from what is due, looked at every few milliseconds from within it."""

from __future__ import annotations

import asyncio
import gc
import os
import time

INTERVAL = 0.01  # seconds between two looks
_SCHEDULER = "/proc/thread-self/schedstat"


class StallWatch:
    """Remember the longest lateness, in seconds.

    The time that the thread stood ready while the kernel gave its core to another process is taken off: on a
    machine that others use it says nothing about the loop. A look is a bare callback, since its cost is counted as the
    server's.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        scheduler = os.open(_SCHEDULER, os.O_RDONLY)
        timer: asyncio.TimerHandle | None = None

        def look(due: float, before: float) -> None:
            nonlocal timer
            now, waited = time.monotonic(), _waited(scheduler)
            self.longest = max(self.longest, now - due - (waited - before))
            timer = loop.call_later(INTERVAL, look, now + INTERVAL, waited)

        look(time.monotonic(), _waited(scheduler))
        try:
            await loop.create_future()
        finally:
            if timer is not None:
                timer.cancel()
            os.close(scheduler)


class CollectionWatch:
    """Remember the longest run of the garbage collector, in seconds of the core: a stall whose cause is known."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._started = 0.0

    def attach(self) -> None:
        """Look from now on."""
        gc.callbacks.append(self._noted)

    def detach(self) -> None:
        """Look no longer."""
        gc.callbacks.remove(self._noted)

    def _noted(self, phase: str, _info: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._started = now
        else:
            self.longest = max(self.longest, now - self._started)


def _waited(scheduler: int) -> float:
    """Return the seconds that this thread has stood ready without a core: the second figure, in nanoseconds."""
    return int(os.pread(scheduler, 100, 0).split()[1]) / 1e9
