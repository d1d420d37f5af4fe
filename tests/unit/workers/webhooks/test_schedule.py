"""The schedule of attempts: that of the specification, with jitter, and what receivers ask for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.webhooks.schedule import DELAYS, MAX_ATTEMPTS, MAX_RETRY_AFTER, next_delay

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_the_schedule_is_the_example_of_the_specification() -> None:
    """Ten attempts, at these times since the first one."""
    times, hours = [0.0], 3600
    for attempts in range(1, MAX_ATTEMPTS):
        delay = next_delay(attempts, spread=0.0)
        assert delay is not None
        times.append(times[-1] + delay)
    assert times == [
        0, 5, 305, 35 * 60 + 5, 2 * hours + 2105, 7 * hours + 2105, 17 * hours + 2105, 31 * hours + 2105,
        51 * hours + 2105, 75 * hours + 2105,
    ]  # fmt: skip
    assert next_delay(MAX_ATTEMPTS, spread=0.0) is None


def test_jitter_lengthens_a_delay_by_a_tenth_at_most() -> None:
    """So that what failed together does not return together."""
    for attempts, delay in enumerate(DELAYS, 1):
        assert next_delay(attempts, spread=0.5) == pytest.approx(1.05 * delay)
        assert next_delay(attempts, spread=1.0) == pytest.approx(1.1 * delay)


@pytest.mark.parametrize(
    ("attempts", "asked", "delay"),
    [(1, 60.0, 60.0), (1, 1.0, 5.0), (2, 60.0, 300.0), (1, 1e12, MAX_RETRY_AFTER), (MAX_ATTEMPTS, 60.0, None)],
)
def test_a_receiver_can_ask_for_more_time(attempts: int, asked: float, delay: float | None) -> None:
    """Up to a day, never for less, and not for another attempt."""
    assert next_delay(attempts, spread=0.0, retry_after=asked) == delay
