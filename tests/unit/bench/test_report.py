"""Medians, spreads and goals."""

from __future__ import annotations

import pytest

from bench.report import figure, percentile


@pytest.mark.parametrize(
    ("at_most", "at_least", "goal", "reached"),
    [
        (None, None, None, None),
        (2.0, None, "≤ 2", True),
        (1.9, None, "≤ 1.9", False),
        (None, 2.0, "≥ 2", True),
        (None, 2.1, "≥ 2.1", False),
    ],
)
def test_the_median_is_held_against_the_goal(
    at_most: float | None, at_least: float | None, goal: str | None, reached: bool | None
) -> None:
    """A goal is reached by the median, whatever the spread; without one nothing is claimed."""
    item = figure("group", "name", "s", [9.0, 1.0, 2.0], at_most=at_most, at_least=at_least)
    assert (item.median, item.least, item.greatest, item.runs) == (2.0, 1.0, 9.0, 3)
    assert (item.goal, item.reached) == (goal, reached)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.0, 1)])
def test_percentiles_are_values_that_were_measured(share: float, value: int) -> None:
    """The nearest rank is taken, in whatever order the values came."""
    assert percentile([*range(100, 0, -1)], share) == value
