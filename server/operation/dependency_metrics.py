"""Prometheus metrics of what a process depends on: engines, and the disk of the data directory."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


class DependencyMetrics:
    """Records which dependencies answer, and the space of the data directory."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._dependencies = Gauge(
            "picshare_dependency_up",
            "Whether a dependency of this process answered the last check.",
            ("dependency",),
            registry=registry,
        )
        self._disk_free = Gauge(
            "picshare_disk_free_bytes", "Free bytes of the disk of the data directory.", registry=registry
        )
        self._disk_full = Gauge(
            "picshare_disk_full", "Whether the reserve of the data directory is given up.", registry=registry
        )

    def dependency_checked(self, dependency: str, *, available: bool) -> None:
        """Record the result of a check."""
        self._dependencies.labels(dependency).set(available)

    def disk_measured(self, *, free: int, full: bool) -> None:
        """Record the free bytes of the data directory's disk, and whether it counts as full."""
        self._disk_free.set(free)
        self._disk_full.set(full)
