"""Prometheus metrics of what a process depends on."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


class HealthMetrics:
    """Records whether the dependencies of this process work."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._dependencies = Gauge(
            "picshare_dependency_up",
            "1 if a dependency of this process works, else 0, as in the response of /readyz.",
            ("name",),
            registry=registry,
        )

    def dependency(self, name: str, *, works: bool) -> None:
        """Record the result of the last check of a dependency."""
        self._dependencies.labels(name).set(1 if works else 0)
