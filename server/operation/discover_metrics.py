"""Prometheus metrics of what is proposed to users."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


class DiscoverMetrics:
    """Records what trends."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._trending = Gauge(
            "picshare_trending_entries", "Entries of a ranking of what trends.", ("kind",), registry=registry
        )

    def trending_measured(self, *, kind: str, entries: int) -> None:
        """Record the number of entries of a ranking."""
        self._trending.labels(kind).set(entries)
