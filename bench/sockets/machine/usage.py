"""CPU time and resident memory of a process, and the kernel's memory for all sockets."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Return utime + stime of all threads of a process, from the kernel's CPU clock of that process.

    The clock's number is clock_getcpuclockid(3)'s; /proc/<pid>/stat has the same sum in steps of 10 ms.
    """
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def resident_bytes(pid: int) -> int:
    """Return a process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


@dataclass(frozen=True, kw_only=True)
class KernelMemory:
    """Bytes in the kernel's object caches, and in the buffers of TCP sockets."""

    slab: int
    buffers: int


def kernel_memory() -> KernelMemory:
    """Return the kernel's current memory for the whole machine."""
    return KernelMemory(
        slab=slab_of(Path("/proc/meminfo").read_text()),
        buffers=buffer_pages_of(Path("/proc/net/sockstat").read_text()) * _PAGE,
    )


def slab_of(meminfo: str) -> int:
    """Return the bytes of the line `Slab:` of /proc/meminfo."""
    line = next(line for line in meminfo.splitlines() if line.startswith("Slab:"))
    return int(line.split()[1]) * 1024


def buffer_pages_of(sockstat: str) -> int:
    """Return the pages in TCP buffers: the field `mem` of the line `TCP:` of /proc/net/sockstat."""
    words = next(line for line in sockstat.splitlines() if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1])
