"""The garbage collector on a schedule."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress

from prometheus_client import CollectorRegistry

from server.operation.event_loop import THRESHOLDS, GarbageCollector
from tests.support.eventually import eventually


class Cycle:
    """Hold itself."""

    def __init__(self) -> None:
        self.me = self


async def test_full_collections_come_on_schedule() -> None:
    """While it runs, Python begins no full collection by itself; an old cycle goes with the next one on schedule."""
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
