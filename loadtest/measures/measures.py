"""The measurements of one process over some time, which can be added up.

A worker sends its measurements every second and starts new ones; the parent adds them up. So nothing is lost when a
worker dies, and the size of the messages does not grow with the length of the test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from loadtest.measures.histogram import Histogram

MAX_ERRORS = 50  # distinct error texts; further ones count together


class Measures:
    """Counts by name, close codes, error texts, and durations by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.durations: dict[str, Histogram] = {}

    def count(self, name: str, number: int = 1) -> None:
        """Add to a count."""
        self.counts[name] += number

    def closed(self, code: int) -> None:
        """Count a connection that was not ended by this tester, by its close code."""
        self.closes[code] += 1

    def failed(self, sentence: str) -> None:
        """Count an error by its text; beyond `MAX_ERRORS` distinct texts they count together."""
        known = sentence in self.errors or len(self.errors) < MAX_ERRORS
        self.errors[sentence if known else "other errors"] += 1

    def took(self, name: str, seconds: float) -> None:
        """Count a duration."""
        histogram = self.durations.get(name)
        if histogram is None:
            histogram = self.durations[name] = Histogram()
        histogram.add(int(seconds * 1_000_000))

    def duration(self, name: str) -> Histogram:
        """Return the durations of a name; an empty histogram if there are none."""
        return self.durations.get(name) or Histogram()

    def take(self) -> Measures:
        """Return the measurements so far, and reset."""
        taken = Measures()
        taken.counts, self.counts = self.counts, taken.counts
        taken.closes, self.closes = self.closes, taken.closes
        taken.errors, self.errors = self.errors, taken.errors
        taken.durations, self.durations = self.durations, taken.durations
        return taken

    def merge(self, other: Measures) -> None:
        """Add the measurements of another instance."""
        self.counts.update(other.counts)
        self.closes.update(other.closes)
        for sentence, number in other.errors.items():
            known = sentence in self.errors or len(self.errors) < MAX_ERRORS
            self.errors[sentence if known else "other errors"] += number
        for name, histogram in other.durations.items():
            self.durations.setdefault(name, Histogram()).merge(histogram)

    def to_wire(self) -> dict[str, Any]:
        """Return plain values for `from_wire`."""
        return {
            "counts": dict(self.counts),
            "closes": dict(self.closes),
            "errors": dict(self.errors),
            "durations": {name: histogram.to_wire() for name, histogram in self.durations.items()},
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Measures:
        """Return the measurements of `to_wire`."""
        measures = cls()
        measures.counts.update(wire["counts"])
        measures.closes.update({int(code): number for code, number in wire["closes"].items()})
        measures.errors.update(wire["errors"])
        measures.durations = {name: Histogram.from_wire(item) for name, item in wire["durations"].items()}
        return measures
