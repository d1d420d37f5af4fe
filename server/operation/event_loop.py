"""Keep the garbage collector's long pauses away from live clients.

A full collection looks at every object there is: with twenty thousand connections that is a stall of a tenth of
a second or more, and Python begins one whenever their number has grown by a quarter, which is in the middle of a
storm of connects. Nearly everything here is freed by counting references; what is left are cycles, most of them
young, which the short collections find. So full ones happen on a schedule instead.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time

from prometheus_client import CollectorRegistry, Histogram

INTERVAL = 3600.0  # seconds between two full collections
# Objects in the youngest generation, and how many of its collections make one of the second: some five thousand
# objects, two milliseconds. The third number is how many of these would make a full one.
THRESHOLDS = (1000, 5, 1_000_000)
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Collector:
    """Collect in full once an `interval` (seconds), and not in between."""

    def __init__(self, registry: CollectorRegistry, *, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._pauses = Histogram(
            "picshare_full_collection_seconds",
            "How long full garbage collections stopped the event loop.",
            buckets=_SECONDS,
            registry=registry,
        )

    async def run(self) -> None:
        """Collect until cancelled; then the interpreter's own ways come back."""
        before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        try:
            while True:
                # Not at the same moment in every process.
                await asyncio.sleep(self._interval * random.uniform(0.5, 1.0))
                begun = time.perf_counter()
                gc.collect()
                self._pauses.observe(time.perf_counter() - begun)
        finally:
            gc.set_threshold(*before)
