"""Processor time of processes and their children, from Linux's /proc."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from server.errors import ServerError

_PROC = Path("/proc")


class NoProcessorTimeError(ServerError):
    """This system does not report the processor time of other processes."""


def require_processor_time() -> None:
    """Raise `NoProcessorTimeError` where /proc is missing."""
    if not (_PROC / "self" / "stat").exists():
        raise NoProcessorTimeError("The cost of work can be measured on Linux only; use --units with figures of there.")


def tree_seconds(roots: Iterable[int]) -> float:
    """Return the seconds that the processes of these ids and all their descendants have used so far.

    Descendants that have ended are not counted, so a difference is right for processes that stay.
    """
    children = _children()
    seconds, waiting, seen = 0.0, list(roots), set[int]()
    while waiting:
        pid = waiting.pop()
        if pid not in seen:
            seen.add(pid)
            seconds += _seconds(pid)
            waiting += children.get(pid, ())
    return seconds


def children_of(pid: int) -> list[int]:
    """Return the ids of the direct children of a process."""
    return _children().get(pid, [])


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text()
            except OSError:  # it has ended
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(folder.name))
    return found


def _seconds(pid: int) -> float:
    # The number of the clock is clock_getcpuclockid(3)'s; /proc has the same sum in steps of 10 ms.
    try:
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    except OSError:  # it has ended
        return 0.0
