"""The histogram: buckets, percentiles, and addition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measures.histogram import GREATEST, Histogram, bounds_of, bucket_of

durations = st.lists(st.integers(min_value=0, max_value=GREATEST), min_size=1, max_size=200)


def of(*values: int) -> Histogram:
    """Return a histogram of these values."""
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (0, 0, 0),
        (127, 127, 127),  # below 128 a bucket each
        (128, 128, 129),  # 128–255 in 64 buckets: 2 wide
        (255, 254, 255),
        (256, 256, 259),  # 256–511: 4 wide
        (1_000_000, 999_424, 1_007_615),  # 2^19–2^20 in 64 buckets: 8,192 wide; 122 × 8,192 = 999,424
    ],
)
def test_bucket_bounds(value: int, low: int, high: int) -> None:
    """Each doubling from 128 µs on is divided into 64 equal buckets."""
    assert bounds_of(bucket_of(value)) == (low, high)


@given(st.integers(min_value=0, max_value=GREATEST))
def test_a_value_is_within_its_bucket(value: int) -> None:
    """A bucket contains its values and is at most 1/64 of them wide."""
    low, high = bounds_of(bucket_of(value))
    assert low <= value <= high
    assert high - low <= low / 64


@given(st.integers(min_value=0, max_value=GREATEST - 1))
def test_buckets_have_no_gaps(value: int) -> None:
    """The next bucket begins right after the last value of a bucket."""
    _, high = bounds_of(bucket_of(value))
    if high < GREATEST:
        assert bounds_of(bucket_of(high + 1))[0] == high + 1


def test_percentiles_by_nearest_rank() -> None:
    """Of the values 1 … 100 the 50th percentile is 50, the 99th is 99, and all are within the last one."""
    histogram = of(*range(1, 101))
    assert [histogram.percentile(share) for share in (0.0, 0.5, 0.9, 0.99, 1.0)] == [1, 50, 90, 99, 100]
    assert of(5).percentile(0.5) == 5
    assert Histogram().percentile(0.99) == 0


@given(durations, st.sampled_from([0.5, 0.9, 0.99, 0.999, 1.0]))
def test_a_percentile_is_never_better_than_the_true_value(values: list[int], share: float) -> None:
    """The reported value is the true value of that rank, or up to 1/64 more."""
    truth = sorted(values)[max(1, math.ceil(round(share * len(values), 6))) - 1]
    assert truth <= of(*values).percentile(share) <= truth + truth / 64


@given(durations, durations)
def test_merged_histograms_equal_one_of_all_values(first: list[int], second: list[int]) -> None:
    """This also holds after `to_wire` and `from_wire`."""
    merged = of(*first)
    merged.merge(Histogram.from_wire(of(*second).to_wire()))
    whole = of(*first, *second)
    assert merged.to_wire() == whole.to_wire()
    assert merged.mean == pytest.approx(sum(first + second) / len(first + second))


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    """A million values up to one second need only the buckets of that range."""
    histogram = Histogram()
    for value in range(0, 1_000_000, 7):
        histogram.add(value)
    # 128 plain ones, and 64 for each doubling from 2^7 to 2^20.
    assert len(list(histogram.buckets())) <= 128 + 64 * 13


def test_values_beyond_the_range_count_at_its_ends() -> None:
    """Durations beyond 19 hours, and negative ones after a clock change, are counted at the ends."""
    histogram = of(GREATEST + 1, -5)
    assert (histogram.least, histogram.greatest, histogram.number) == (0, GREATEST, 2)
