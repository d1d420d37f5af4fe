"""A histogram of durations with logarithmic buckets: bounded memory, a known error, and histograms can be added.

Values are whole microseconds. Below 128 each value has its own bucket; above, each doubling is divided into 64
buckets, so a bucket is at most 1/64 (1.6 %) of its value wide. `percentile` returns the upper end of a bucket: a
reported value is never better than the measured one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_FINE_BITS = 6  # 2^6 buckets a doubling
_PLAIN = 2 << _FINE_BITS  # values below this are their own bucket
GREATEST = (1 << 36) - 1  # microseconds, 19 hours; longer durations count as this


@dataclass(frozen=True, slots=True)
class Bucket:
    """The number of values between two durations, in microseconds, both included."""

    low: int
    high: int
    count: int


class Histogram:
    """Counts durations; adding one takes no memory once its bucket exists."""

    __slots__ = ("_counts", "greatest", "least", "number", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.number = 0
        self.total = 0
        self.least = GREATEST
        self.greatest = 0

    def add(self, microseconds: int) -> None:
        """Count one duration."""
        value = min(max(microseconds, 0), GREATEST)
        place = bucket_of(value)
        self._counts[place] = self._counts.get(place, 0) + 1
        self.number += 1
        self.total += value
        self.greatest = max(self.greatest, value)
        self.least = min(self.least, value)

    def merge(self, other: Histogram) -> None:
        """Add the values of another histogram."""
        for place, count in other._counts.items():
            self._counts[place] = self._counts.get(place, 0) + count
        self.number += other.number
        self.total += other.total
        self.greatest = max(self.greatest, other.greatest)
        self.least = min(self.least, other.least)

    def percentile(self, share: float) -> int:
        """Return the duration within which `share` (0–1) of the values are, by nearest rank; 0 without values."""
        if not self.number:
            return 0
        rank = max(1, math.ceil(round(share * self.number, 6)))
        seen = 0
        for bucket in self.buckets():
            seen += bucket.count
            if seen >= rank:
                return min(bucket.high, self.greatest)
        return self.greatest

    @property
    def mean(self) -> float:
        """Return the mean in microseconds; 0 when there are no values."""
        return self.total / self.number if self.number else 0.0

    def buckets(self) -> Iterator[Bucket]:
        """Yield the buckets that are not empty, shortest durations first."""
        for place in sorted(self._counts):
            low, high = bounds_of(place)
            yield Bucket(low, high, self._counts[place])

    def to_wire(self) -> dict[str, Any]:
        """Return plain values for `from_wire`."""
        return {
            "counts": self._counts,
            "number": self.number,
            "total": self.total,
            "least": self.least,
            "greatest": self.greatest,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Histogram:
        """Return the histogram of `to_wire`."""
        histogram = cls()
        histogram._counts = {int(place): int(count) for place, count in wire["counts"].items()}
        histogram.number, histogram.total = wire["number"], wire["total"]
        histogram.least, histogram.greatest = wire["least"], wire["greatest"]
        return histogram


def bucket_of(value: int) -> int:
    """Return the index of a value's bucket; indices grow with values."""
    if value < _PLAIN:
        return value
    shift = value.bit_length() - _FINE_BITS - 1
    return (shift << _FINE_BITS) + (value >> shift)


def bounds_of(place: int) -> tuple[int, int]:
    """Return the least and the greatest value of a bucket."""
    if place < _PLAIN:
        return place, place
    shift = (place >> _FINE_BITS) - 1
    leading = place - (shift << _FINE_BITS)
    return leading << shift, ((leading + 1) << shift) - 1
