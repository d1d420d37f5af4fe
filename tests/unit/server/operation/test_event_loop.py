"""The event loop: measurement of its stalls, and the schedule of garbage collections."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextlib import suppress

from prometheus_client import CollectorRegistry

from server.operation.event_loop import THRESHOLDS, GarbageCollector, LoopWatch
from tests.support.eventually import eventually


class Cycle:
    """An object that refers to itself, so that only the garbage collector frees it."""

    def __init__(self) -> None:
        self.me = self


async def test_full_collections_run_on_schedule() -> None:
    """Python starts no full collection by itself, and the next scheduled one frees an old cycle."""
    before = gc.get_threshold()
    registry = CollectorRegistry()
    task = asyncio.create_task(GarbageCollector(registry, interval=0.01).run())
    await asyncio.sleep(0)
    assert gc.get_threshold() == THRESHOLDS
    old = Cycle()
    gone = weakref.ref(old)
    for generation in (0, 1):
        gc.collect(generation)
    del old
    await eventually(lambda: gone() is None)
    assert registry.get_sample_value("picshare_full_collection_seconds_count")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert gc.get_threshold() == before


async def test_a_stall_of_the_event_loop_is_measured() -> None:
    """Blocking the event loop raises the metric of its longest stall."""
    registry = CollectorRegistry()
    watch = asyncio.create_task(LoopWatch(registry, interval=0.01).run())
    try:
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - the stall itself

        def stalled() -> bool:
            seen = registry.get_sample_value("picshare_event_loop_stall_seconds")
            return seen is not None and seen > 0.05

        await eventually(stalled)
    finally:
        watch.cancel()
