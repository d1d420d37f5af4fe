"""Prometheus metrics of the stages of an event, from its commit to the sockets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

# The target is half a second from the commit to the socket; most stages take milliseconds.
_STAGE_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0)
_TOLERANCE = 0.1  # seconds by which clocks may differ without being counted


class EventMetrics:
    """Records when events reach their stages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._stages = Histogram(
            "picshare_event_stage_seconds",
            "Seconds from the commit of an event until it reached a stage.",
            ("queue", "stage"),
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._early = Counter(
            "picshare_event_clock_errors",
            "Stages that events reached before their commit, by the clocks of two machines.",
            registry=registry,
        )
        self._stage_series: dict[tuple[str, str], Histogram] = {}

    def event_stage(self, *, queue: str, stage: str, age: float) -> None:
        """Record that an event reached a stage `age` seconds after its commit; a negative age counts as 0."""
        key = (queue, stage)
        series = self._stage_series.get(key)
        if series is None:
            # Looking up labels costs as much as the rest.
            series = self._stage_series[key] = self._stages.labels(queue, stage)
        if age < -_TOLERANCE:
            self._early.inc()
        series.observe(max(age, 0.0))
