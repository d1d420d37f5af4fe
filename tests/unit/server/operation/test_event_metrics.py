"""Metrics of the stages of events."""

from __future__ import annotations

import pytest

from server.operation.metrics import Metrics


@pytest.mark.parametrize(
    ("age", "total", "errors"),
    [
        (0.3, 0.3, 0),
        (-0.05, 0.0, 0),  # clocks differ by little all the time
        (-10.0, 0.0, 1),
    ],
)
def test_an_event_that_is_younger_than_nothing(age: float, total: float, errors: float) -> None:
    """A stage before the commit counts as 0 seconds after it, and as an error of the clocks from 0.1 s on."""
    metrics = Metrics("1")
    metrics.event_stage(queue="fanout", stage="claimed", age=age)
    labels = {"queue": "fanout", "stage": "claimed"}
    assert metrics.registry.get_sample_value("picshare_event_stage_seconds_sum", labels) == pytest.approx(total)
    assert metrics.registry.get_sample_value("picshare_event_stage_seconds_count", labels) == 1
    assert metrics.registry.get_sample_value("picshare_event_clock_errors_total") == errors
