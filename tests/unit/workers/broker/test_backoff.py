"""The arithmetic of waiting: retry delays, their fixed steps, and pauses before reconnecting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.broker.backoff import RECONNECT_CEILING, RECONNECT_FLOOR, delay_after, next_delay, reconnect_pause
from workers.broker.port import Policy

STEPS = (1.0, 5.0, 30.0, 120.0, 600.0)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1.0), (2, 5.0), (3, 30.0), (4, 120.0), (5, 600.0), (6, 600.0), (99, 600.0)]
)
def test_each_attempt_waits_longer_until_the_last_step(attempt: int, seconds: float) -> None:
    """The n-th failure waits the n-th step, and the last step serves all later ones."""
    assert delay_after(attempt, Policy(backoff=STEPS)) == seconds


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (0.0, [1.0]),
        (0.3, [1.0]),
        (1.0, [1.0]),
        (5.0, [5.0]),
        (8.0, [5.0, 1.0, 1.0, 1.0]),
        (6.2, [5.0, 1.0, 1.0]),
        (3600.0, [600.0] * 6),
    ],
)
def test_a_delay_is_made_of_steps(delay: float, expected: list[float]) -> None:
    """A delay consists of the largest steps that fit, rounded up to the smallest."""
    assert steps_of(delay) == expected


@given(st.floats(min_value=0.0, max_value=10_000.0), st.lists(st.floats(0.01, 1_000.0), min_size=1, max_size=6))
def test_steps_add_up_to_the_delay(delay: float, steps: list[float]) -> None:
    """For any steps, their sum is at least the delay, and longer by less than the smallest step."""
    smallest = min(steps)
    if delay / smallest > 2_000:
        return
    total = sum(steps_of(delay, steps))
    rounding = 0.001 * (1 + delay / smallest)  # each remainder is rounded up to a millisecond
    assert delay - 0.0001 <= total < delay + smallest + rounding


def steps_of(delay: float, steps: list[float] | tuple[float, ...] = STEPS) -> list[float]:
    """Return the steps in which a message waits, in order."""
    taken = []
    while True:
        step, delay = next_delay(steps, delay)
        taken.append(step)
        if not delay:
            return taken


def test_reconnecting_doubles_up_to_a_ceiling() -> None:
    """The pause doubles with each failure, is at least half of that, and never passes the ceiling."""
    for failures in range(1, 40):
        full = min(RECONNECT_CEILING, RECONNECT_FLOOR * 2 ** (failures - 1))
        assert all(full / 2 <= reconnect_pause(failures) <= full for _ in range(20))


def test_reconnecting_is_jittered() -> None:
    """Processes that lost their broker together do not reconnect together."""
    assert len({reconnect_pause(5) for _ in range(20)}) > 10
