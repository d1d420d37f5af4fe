"""When a process may expire others, with the time given by the test."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from channels.hub.heartbeat import BeatHistory


@pytest.mark.parametrize(
    ("beats", "now", "may"),
    [
        ([], 0, False),  # no beat yet
        ([0, 5, 10, 15], 19, False),  # not long enough
        ([0, 5, 10, 15], 20, True),
        ([0, 10, 20], 20, True),  # late, but never by more than half the deadline
        ([0, 5, 10, 21], 25, False),  # a pause of 11 s: an outage, perhaps of all processes
        ([0, 5, 10, 21, 26, 31, 36], 40, False),  # 19 s after the pause
        ([0, 5, 10, 21, 26, 31, 36], 41, True),
        ([0, 5, 10, 15, 20], 31, False),  # the pause is now
    ],
)
def test_may_expire(beats: Sequence[float], now: float, may: bool) -> None:
    """A process may expire others once it has beaten for the deadline of 20 s without a pause of half of it."""
    history = BeatHistory(deadline=20)
    for moment in beats:
        history.record(moment)
    assert history.may_expire(now) is may
