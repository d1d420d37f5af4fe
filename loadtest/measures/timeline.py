"""Delivery latencies, connected sockets and cuts over time, in a bounded number of slots.

Slots begin as seconds. When there are too many, neighbours are merged and all become twice as wide, so the memory for
a test of a day is the same as for five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loadtest.measures.histogram import Histogram

MAX_SLOTS = 300


@dataclass(slots=True)
class Slot:
    """One interval: latencies by kind, and the smallest number of connected sockets (None: not recorded)."""

    latency: dict[str, Histogram] = field(default_factory=dict)
    connected: int | None = None
    cut: int = 0

    def join(self, other: Slot) -> None:
        """Merge the next slot into this one."""
        for kind, histogram in other.latency.items():
            self.latency.setdefault(kind, Histogram()).merge(histogram)
        known = [count for count in (self.connected, other.connected) if count is not None]
        self.connected = min(known, default=None)
        self.cut += other.cut


class Timeline:
    """Slots of `width` seconds, beginning at the start of the test."""

    def __init__(self, *, most: int = MAX_SLOTS) -> None:
        self.width = 1
        self._slots: dict[int, Slot] = {}
        self._most = most

    def add(self, second: float, latency: Mapping[str, Histogram], *, cut: int = 0) -> None:
        """Add the measurements of a second of the test."""
        slot = self._slot(second)
        for kind, histogram in latency.items():
            slot.latency.setdefault(kind, Histogram()).merge(histogram)
        slot.cut += cut

    def record_connected(self, second: float, connected: int) -> None:
        """Record how many sockets were connected at a moment."""
        slot = self._slot(second)
        slot.connected = connected if slot.connected is None else min(slot.connected, connected)

    def slots(self) -> Iterator[tuple[float, Slot]]:
        """Yield the slots in order, each with the second in which it begins."""
        for number in sorted(self._slots):
            yield float(number * self.width), self._slots[number]

    def _slot(self, second: float) -> Slot:
        number = max(0, int(second)) // self.width
        while number >= self._most:
            self._coarsen()
            number = max(0, int(second)) // self.width
        return self._slots.setdefault(number, Slot())

    def _coarsen(self) -> None:
        before, self._slots = self._slots, {}
        self.width *= 2
        for number in sorted(before):
            self._slots.setdefault(number // 2, Slot()).join(before[number])
