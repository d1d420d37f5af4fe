"""The timing wheel: what is due is returned once, never early and at most a tick late."""

from __future__ import annotations

import pytest

from channels.connection.timing_wheel import TimingWheel

TICK = 0.25


def taken(wheel: TimingWheel[str], now: float) -> list[str]:
    """Return all items that are due."""
    return [item for _, items in wheel.take(now) for item in items]


@pytest.mark.parametrize("started", [True, False], ids=["after a tick", "before the first tick"])
def test_due_once(started: bool) -> None:
    """Items are returned in the order of their moments, once each."""
    wheel: TimingWheel[str] = TimingWheel(TICK)
    if started:
        assert taken(wheel, 100.0) == []
    for due, item in ((103.0, "c"), (101.1, "a"), (102.0, "b")):
        wheel.add(due, item)
    assert taken(wheel, 101.0) == []
    assert taken(wheel, 101.25) == ["a"]
    assert taken(wheel, 1000.0) == ["b", "c"]
    assert taken(wheel, 2000.0) == []


def test_a_moment_in_the_past_is_the_next_tick() -> None:
    """An item whose moment has passed is due at the next tick."""
    wheel: TimingWheel[str] = TimingWheel(TICK)
    assert taken(wheel, 100.0) == []
    wheel.add(3.0, "late")
    wheel.add_all(4.0, ["later"])
    assert taken(wheel, 100.1) == []
    assert list(wheel.take(100.25)) == [(100.25, ["late", "later"])]


def test_groups_keep_their_list() -> None:
    """A group is returned as the list that was added; one that is added to the same slot does not change it."""
    wheel: TimingWheel[str] = TimingWheel(TICK)
    group = ["a", "b"]
    wheel.add_all(1.0, group)
    assert next(wheel.take(1.0))[1] is group
    wheel.add_all(2.0, group)
    wheel.add_all(2.0, ["c"])
    assert taken(wheel, 2.0) == ["a", "b", "c"]
    assert group == ["a", "b"]
