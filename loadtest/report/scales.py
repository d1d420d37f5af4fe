"""Axes of charts: the position of a value, the ticks of an axis, and their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class LinearScale:
    """Maps values from `low` to `high` linearly to pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; values beyond an end are drawn at the end."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class LogScale:
    """Maps positive values by their logarithm: equal ratios are equal distances."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; values beyond an end are drawn at the end."""
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def log_range(values: Sequence[float]) -> tuple[float, float]:
    """Return round ends (1, 2 or 5 times a power of ten) around positive values, at least a factor of ten apart."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = _round_down(min(positive)), _round_up(max(positive))
    while high / low < 9.99:
        high = _round_up(high * 1.01)
    return low, high


def log_ticks(low: float, high: float, *, ends: bool = False) -> list[float]:
    """Return the ticks of a logarithmic axis: powers of ten, with 2 and 5 between them where there is room.

    With `ends` both ends of the axis have a tick as well.
    """
    steps = (1, 2, 5) if math.log10(high / low) <= 2.5 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    kept = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return [low, *(tick for tick in kept if low * 1.001 < tick < high * 0.999), high] if ends else kept


def linear_ticks(high: float, *, most: int) -> list[float]:
    """Return ticks from 0 on, 1, 2 or 5 times a power of ten apart, `most` at most; the last is not below `high`."""
    if high <= 0:
        return [0.0, 1.0]
    step = _round_up(high / most)
    return [step * number for number in range(math.ceil(high / step - 1e-9) + 1)]


def time_ticks(seconds: float, *, most: int) -> list[float]:
    """Return ticks within a duration, at usual steps of seconds, minutes or hours."""
    step = next((step for step in _TIME_STEPS if seconds / step <= most), _TIME_STEPS[-1])
    return [float(step * number) for number in range(int(seconds // step) + 1)]


def milliseconds(value: float) -> str:
    """Return a duration's label: "0.5 ms", "20 ms", "1.5 s"."""
    if value >= 1000:
        return f"{value / 1000:g} s"
    return f"{value:g} ms"


def seconds(value: float) -> str:
    """Return a time's label: "40 s", "2 min", "1 h 30 min"."""
    whole = round(value)
    if not whole or (whole < 120 and whole % 60):
        return f"{whole} s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def _round_down(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return max(step * power for step in (1, 2, 5) if step * power <= value * 1.000001)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return min(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)
