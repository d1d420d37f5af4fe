"""Prometheus metrics of searches."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SEARCH_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5)


class SearchMetrics:
    """Records searches by kind: "users", "tags" or "photos"."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._search_seconds = Histogram(
            "picshare_search_seconds",
            "Seconds of a search in the database.",
            ("kind",),
            buckets=_SEARCH_SECONDS,
            registry=registry,
        )
        self._partial = Counter(
            "picshare_search_partial",
            "Searches that took so long that results may be missing.",
            ("kind",),
            registry=registry,
        )

    def search_done(self, *, kind: str, seconds: float, partial: bool) -> None:
        """Record one search, and whether it took so long that results may be missing."""
        self._search_seconds.labels(kind).observe(seconds)
        if partial:
            self._partial.labels(kind).inc()
