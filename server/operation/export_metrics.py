"""Prometheus metrics of exports of accounts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


class ExportMetrics:
    """Records exports that became ready."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._export_seconds = Histogram(
            "picshare_export_seconds",
            "Seconds for which the job of an export worked, of exports that became ready.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._export_bytes = Counter(
            "picshare_export_bytes", "Bytes of the archives of exports that became ready.", registry=registry
        )

    def export_made(self, *, seconds: float, size: int) -> None:
        """Record an export that became ready: how long its job took, and the bytes of its archive."""
        self._export_seconds.observe(seconds)
        self._export_bytes.inc(size)
