"""Monitoring of the tester itself: its CPU usage, and the delay of its event loop.

A load test whose own process is the bottleneck measures itself. Every delay of the loop is part of the latencies
measured at that time, so the report contains both and warns.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from loadtest.measures.measures import Measures

LAG = "lag"  # name of the loop's delay among the durations
LAG_INTERVAL = 0.05  # seconds; the interval of the timer that measures the delay


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuUsage:
    """CPU time that this process used in an interval, both in seconds."""

    busy: float
    passed: float

    @property
    def share(self) -> float:
        """Return the used share of one core, 0–1 (more with several threads)."""
        return self.busy / self.passed if self.passed > 0 else 0.0


class SelfMonitor:
    """Records the loop's delay among the measurements; `usage` returns the CPU time."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._seen_at, self._seen_busy = time.monotonic(), time.process_time()

    def usage(self) -> CpuUsage:
        """Return the CPU time since the last call."""
        now, busy = time.monotonic(), time.process_time()
        usage = CpuUsage(busy=busy - self._seen_busy, passed=now - self._seen_at)
        self._seen_at, self._seen_busy = now, busy
        return usage

    async def run(self) -> None:
        """Measure the delay until cancelled."""
        while True:
            # The loop's own clock would not do: uvloop reads it once per iteration, in whole milliseconds.
            due = time.monotonic() + LAG_INTERVAL
            await asyncio.sleep(LAG_INTERVAL)
            self._measures.took(LAG, max(0.0, time.monotonic() - due))
