"""Cores, CPU time, memory, and stalls of event loops."""

from __future__ import annotations

import asyncio
import gc
import os
import time

import pytest

from bench.cores import TooFewCoresError, assign_cores
from bench.sockets.machine.stalls import CollectionWatch, StallWatch
from bench.sockets.machine.usage import buffer_pages_of, cpu_seconds, resident_bytes, slab_of
from tests.support.eventually import eventually

SOCKSTAT = """sockets: used 300
TCP: inuse 12 orphan 0 tw 3 alloc 14 mem 7
UDP: inuse 2 mem 99
"""


def test_the_server_has_a_core_of_its_own() -> None:
    """One core is the server's, and all others are for the rest."""
    cores = assign_cores({3, 1, 2})
    assert (cores.server, cores.others) == (1, frozenset({2, 3}))
    assert cores.on_server_core(["nginx", "-v"]) == ["taskset", "--cpu-list", "1", "nginx", "-v"]


def test_the_bench_avoids_the_server_s_core_within_a_block() -> None:
    """Within the block this process runs on the other cores only; afterwards on all that it had."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        with pytest.raises(TooFewCoresError):
            assign_cores(before)
        return
    cores = assign_cores(before)
    with cores.other_cores_only():
        assert os.sched_getaffinity(0) == cores.others
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("available", [set(), {0}])
def test_one_core_is_too_few(available: set[int]) -> None:
    """With fewer than two cores nothing is measured."""
    with pytest.raises(TooFewCoresError, match="two cores"):
        assign_cores(available)


def test_cpu_time_of_a_process_is_the_kernel_s() -> None:
    """The CPU clock of a process, read by its id, is the one that the process itself reads."""
    before = time.process_time()
    measured = cpu_seconds(os.getpid())
    assert before <= measured <= time.process_time()


def test_memory_is_read_from_proc() -> None:
    """A process's resident pages, the slab in kilobytes, and the pages of TCP buffers alone."""
    assert resident_bytes(os.getpid()) > 1_000_000
    assert slab_of("MemFree: 5 kB\nSlab:      1024 kB\nSReclaimable: 7 kB\n") == 1024 * 1024
    assert buffer_pages_of(SOCKSTAT) == 7


async def test_a_blocked_loop_is_recorded() -> None:
    """A callback that blocks the loop for 30 ms is a stall of about that length, and the longest is recorded."""
    watch = StallWatch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0)

    def block() -> bool:
        # More than once: on a busy machine a wait for a core between the two clocks can hide one stall.
        time.sleep(0.03)
        return watch.longest > 0.02

    await eventually(block)
    longest = watch.longest
    await asyncio.sleep(0.01)
    watching.cancel()
    assert watch.longest >= longest


def test_a_run_of_the_garbage_collector_is_recorded() -> None:
    """The longest run is recorded while the watch is attached."""
    watch = CollectionWatch()
    gc.collect()
    assert watch.longest == 0
    watch.attach()
    try:
        gc.collect()
        assert watch.longest > 0
    finally:
        watch.detach()
