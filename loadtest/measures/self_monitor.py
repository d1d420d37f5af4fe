"""Watch the tester itself: how busy its processor was, and how late its event loop ran what was due.

A load test whose own process was the limit measures itself. Every lateness of the loop is part of each latency
that is measured meanwhile, so the report tells both and warns.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from loadtest.measures.measures import Measures

LAG = "lag"  # the name of the loop's lateness among the durations
LAG_INTERVAL = 0.05  # seconds between two looks at the event loop


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The processor time that this process used of one stretch of time, both in seconds."""

    busy: float
    passed: float

    @property
    def share(self) -> float:
        """Return how much of one core was used, 0–1 (more with several threads)."""
        return self.busy / self.passed if self.passed > 0 else 0.0


class Watch:
    """Note the loop's lateness among the measures; `usage` tells the processor's."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._seen_at, self._seen_busy = time.monotonic(), time.process_time()

    def usage(self) -> Usage:
        """Return the processor time since the last call."""
        now, busy = time.monotonic(), time.process_time()
        usage = Usage(busy=busy - self._seen_busy, passed=now - self._seen_at)
        self._seen_at, self._seen_busy = now, busy
        return usage

    async def run(self) -> None:
        """Look at the loop until cancelled."""
        while True:
            # Not by the loop's own clock, which uvloop reads once a round and in whole milliseconds.
            due = time.monotonic() + LAG_INTERVAL
            await asyncio.sleep(LAG_INTERVAL)
            self._measures.took(LAG, max(0.0, time.monotonic() - due))
