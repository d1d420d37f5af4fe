"""The event loop's responsiveness: measure its delays, and avoid those of the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import random
import time

from prometheus_client import CollectorRegistry, Gauge, Histogram

# Seconds between two measurements of the event loop; a stall of twice as long is always measured.
LAG_INTERVAL = 0.01
STALL_WINDOW = 60.0  # seconds over which the longest stall is reported
_LAG_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)

COLLECTION_INTERVAL = 3600.0  # seconds between two full collections
# Objects in the youngest generation, and the number of its collections before one of the second generation: about
# 5,000 objects, which take 2 ms. The third number, that of collections before a full one, is never reached.
THRESHOLDS = (1000, 5, 1_000_000)
_COLLECTION_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopWatch:
    """Measurement of how late the event loop runs what is due, which is a delay for every client."""

    def __init__(self, registry: CollectorRegistry, *, interval: float = LAG_INTERVAL) -> None:
        self._interval = interval
        self._lag = Histogram(
            "picshare_event_loop_lag_seconds",
            "Delay of the event loop at regular measurements.",
            buckets=_LAG_SECONDS,
            registry=registry,
        )
        self._longest = Gauge(
            "picshare_event_loop_stall_seconds",
            "Longest delay of the event loop in the last minute.",
            registry=registry,
        )

    async def run(self) -> None:
        """Measure until cancelled."""
        # Only delays that no later one exceeds, so the first is the longest of the window.
        seen: list[tuple[float, float]] = []
        while True:
            due = time.monotonic() + self._interval
            await asyncio.sleep(self._interval)
            now = time.monotonic()
            lag = max(0.0, now - due)
            self._lag.observe(lag)
            seen = [(at, value) for at, value in seen if at > now - STALL_WINDOW and value > lag] + [(now, lag)]
            self._longest.set(seen[0][1])


class GarbageCollector:
    """Schedule of full garbage collections: one per `interval` seconds, and none in between.

    A full collection traverses every object: with 20,000 connections that stops the event loop for a tenth of a second
    or more. Python starts one whenever the number of objects has grown by a quarter, which is in the middle of a burst
    of connects. Almost all objects here are freed by reference counting; most of the rest are young cycles, which the
    short collections find.
    """

    def __init__(self, registry: CollectorRegistry, *, interval: float = COLLECTION_INTERVAL) -> None:
        self._interval = interval
        self._pauses = Histogram(
            "picshare_full_collection_seconds",
            "Time that a full garbage collection stopped the event loop.",
            buckets=_COLLECTION_SECONDS,
            registry=registry,
        )

    async def run(self) -> None:
        """Collect until cancelled, then restore the thresholds of the interpreter."""
        before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        try:
            while True:
                # The jitter keeps processes that started together from collecting at the same moment.
                await asyncio.sleep(self._interval * random.uniform(0.5, 1.0))
                begun = time.perf_counter()
                gc.collect()
                self._pauses.observe(time.perf_counter() - begun)
        finally:
            gc.set_threshold(*before)
