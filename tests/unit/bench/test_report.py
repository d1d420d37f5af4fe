"""Medians, spreads and goals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.report import figure, percentile, ratios, show


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
def test_the_median_is_compared_with_the_goal(
    at_most: float | None, at_least: float | None, goal: str | None, reached: bool | None
) -> None:
    """The median decides whether a goal is reached, whatever the spread; without a goal there is no verdict."""
    item = figure("group", "name", "×", [9.0, 1.0, 2.0], at_most=at_most, at_least=at_least, limit="a peer")
    assert (item.median, item.least, item.greatest, item.runs) == (2.0, 1.0, 9.0, 3)
    assert (item.goal, item.reached) == (goal, reached)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.0, 1)])
def test_percentiles_are_values_that_were_measured(share: float, value: int) -> None:
    """The nearest rank is taken, whatever the order of the values."""
    assert percentile([*range(100, 0, -1)], share) == value


@pytest.mark.parametrize(("unit", "limit"), [("ms", "a peer"), ("/s", "a peer"), ("×", None)])
def test_a_goal_is_a_ratio_with_a_stated_limit(unit: str, limit: str | None) -> None:
    """A goal in milliseconds or per second, or one without the limit that it is derived from, is refused."""
    with pytest.raises(ValueError, match="ratio or a count"):
        figure("group", "name", unit, [1.0], at_most=2.0, limit=limit)


def test_ratios_compare_the_values_of_each_run() -> None:
    """The first value is divided by the first of the yardstick, and so on; a missing run is an error."""
    assert ratios([1.0, 6.0], [2.0, 3.0]) == [0.5, 2.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_the_table_states_what_each_goal_limit() -> None:
    """Below the table each goal is printed with its limit; a figure without a goal is not."""
    output = io.StringIO()
    figures = [
        figure("group", "ratio to peer", "×", [1.0], at_most=2.0, limit="twice the peer's cost"),
        figure("group", "rate", "/s", [100.0]),
    ]
    show(figures, Console(file=output, width=140))
    assert "ratio to peer ≤ 2: twice the peer's cost" in output.getvalue()
    assert "rate None" not in output.getvalue()
