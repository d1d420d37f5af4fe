"""A timing wheel: items in slots by the tick at which they are due.

The cost of a tick grows with the items that are due, not with those that exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class TimingWheel(Generic[T]):
    """Items by the moment at which they are due, in seconds of any clock, with the resolution of a tick."""

    __slots__ = ("_cursor", "_slots", "_tick")

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._slots: dict[int, list[T]] = {}
        self._cursor: int | None = None

    def add(self, due: float, item: T) -> None:
        """Return the item once a moment has passed, at most a tick later."""
        self._slots.setdefault(self._slot(due), []).append(item)

    def add_all(self, due: float, items: list[T]) -> None:
        """Do the same for several items; the list is kept, and items that are added later may be appended to it."""
        slot = self._slot(due)
        others = self._slots.get(slot)
        self._slots[slot] = items if others is None else others + items

    def take(self, now: float) -> Iterator[tuple[float, list[T]]]:
        """Remove what is due at `now`, slot by slot; yield the moment of each slot with its items."""
        last = math.floor(now / self._tick)
        first = -math.inf if self._cursor is None else self._cursor + 1
        if last - first < len(self._slots):
            slots = list(range(int(first), last + 1))
        else:  # the first time, or the process was suspended for longer than there are slots
            slots = sorted(slot for slot in self._slots if slot <= last)
        self._cursor = last
        for slot in slots:
            items = self._slots.pop(slot, None)
            if items is not None:
                yield slot * self._tick, items

    def _slot(self, due: float) -> int:
        # Rounded up, so that the moment has passed when the slot is taken. A past slot would never be taken.
        slot = math.ceil(due / self._tick)
        return slot if self._cursor is None else max(slot, self._cursor + 1)
