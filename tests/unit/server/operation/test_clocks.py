"""Durations between the clocks of two machines, of which the first one is ahead."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from server.operation.metrics import Metrics


def test_a_negative_duration_counts_as_zero() -> None:
    """No sum decreases, which would look like a restart of the process."""
    metrics = Metrics()
    metrics.upload_received(way="tus", seconds=-10.0, size=1)
    metrics.purge_done(cache="a", seconds=-10.0)
    metrics.star_changed(change="promotion", seconds=-10.0)
    metrics.event_stage(queue="fanout", stage="claimed", age=-10.0)
    families = text_string_to_metric_families(metrics.render().decode())
    sums = {sample.name: sample.value for family in families for sample in family.samples if "_sum" in sample.name}
    assert [name for name, value in sums.items() if value < 0] == []
