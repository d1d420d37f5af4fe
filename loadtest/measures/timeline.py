"""What happened when: delivery latencies, connected sockets and cuts, in a bounded number of slots.

Slots begin as seconds. When there are too many, neighbours are joined and all become twice as wide, so that a
test of a day is drawn from as many slots as one of five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loadtest.measures.histogram import Histogram

MOST_SLOTS = 300


@dataclass(slots=True)
class Slot:
    """One stretch of time: latencies by kind, and the fewest sockets that were connected (None: nobody looked)."""

    latency: dict[str, Histogram] = field(default_factory=dict)
    connected: int | None = None
    cut: int = 0

    def join(self, other: Slot) -> None:
        """Take in the next slot."""
        for kind, histogram in other.latency.items():
            self.latency.setdefault(kind, Histogram()).merge(histogram)
        known = [count for count in (self.connected, other.connected) if count is not None]
        self.connected = min(known, default=None)
        self.cut += other.cut


class Timeline:
    """Slots of `width` seconds from the start of the test on."""

    def __init__(self, *, most: int = MOST_SLOTS) -> None:
        self.width = 1
        self._slots: dict[int, Slot] = {}
        self._most = most

    def add(self, second: float, latency: Mapping[str, Histogram], *, cut: int = 0) -> None:
        """Add what was measured around a second of the test."""
        slot = self._slot(second)
        for kind, histogram in latency.items():
            slot.latency.setdefault(kind, Histogram()).merge(histogram)
        slot.cut += cut

    def look(self, second: float, connected: int) -> None:
        """Note how many sockets were connected at a moment."""
        slot = self._slot(second)
        slot.connected = connected if slot.connected is None else min(slot.connected, connected)

    def slots(self) -> Iterator[tuple[float, Slot]]:
        """Yield the slots with the second in which each begins, in their order."""
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
