"""What one process counted in a while, and how several of these add up to one.

A worker hands its measures over every second and begins new ones; the parent adds them up. So nothing that was
measured is lost when a worker dies, and what a test weighs does not grow with its length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from loadtest.measures.histogram import Histogram

MOST_SENTENCES = 50  # distinct errors that are kept apart


class Measures:
    """Counts by name, close codes, errors in their own words, and durations by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.durations: dict[str, Histogram] = {}

    def count(self, name: str, number: int = 1) -> None:
        """Add to a count."""
        self.counts[name] += number

    def closed(self, code: int) -> None:
        """Count a connection that ended without this tester's will, by its close code."""
        self.closes[code] += 1

    def failed(self, sentence: str) -> None:
        """Count an error; beyond so many distinct ones they count together."""
        known = sentence in self.errors or len(self.errors) < MOST_SENTENCES
        self.errors[sentence if known else "other errors"] += 1

    def took(self, name: str, seconds: float) -> None:
        """Count a duration."""
        histogram = self.durations.get(name)
        if histogram is None:
            histogram = self.durations[name] = Histogram()
        histogram.add(int(seconds * 1_000_000))

    def duration(self, name: str) -> Histogram:
        """Return the durations of a name; an empty histogram when there are none."""
        return self.durations.get(name) or Histogram()

    def take(self) -> Measures:
        """Return what was counted so far, and begin anew."""
        taken = Measures()
        taken.counts, self.counts = self.counts, taken.counts
        taken.closes, self.closes = self.closes, taken.closes
        taken.errors, self.errors = self.errors, taken.errors
        taken.durations, self.durations = self.durations, taken.durations
        return taken

    def merge(self, other: Measures) -> None:
        """Add another one's."""
        self.counts.update(other.counts)
        self.closes.update(other.closes)
        for sentence, number in other.errors.items():
            known = sentence in self.errors or len(self.errors) < MOST_SENTENCES
            self.errors[sentence if known else "other errors"] += number
        for name, histogram in other.durations.items():
            self.durations.setdefault(name, Histogram()).merge(histogram)

    def to_wire(self) -> dict[str, Any]:
        """Return what `from_wire` takes, of plain values."""
        return {
            "counts": dict(self.counts),
            "closes": dict(self.closes),
            "errors": dict(self.errors),
            "durations": {name: histogram.to_wire() for name, histogram in self.durations.items()},
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Measures:
        """Return the measures that `to_wire` described."""
        measures = cls()
        measures.counts.update(wire["counts"])
        measures.closes.update({int(code): number for code, number in wire["closes"].items()})
        measures.errors.update(wire["errors"])
        measures.durations = {name: Histogram.from_wire(item) for name, item in wire["durations"].items()}
        return measures
