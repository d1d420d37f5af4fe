"""Prometheus metrics of notifications that leave the application."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class DeliveryMetrics:
    """Records what becomes of pushes, mails about notifications, and digests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._deliveries = Counter(
            "picshare_deliveries",
            "Due pushes, mails and digests, by what became of each.",
            ("channel", "result"),
            registry=registry,
        )
        self._deliveries_oldest = Gauge(
            "picshare_delivery_due_age_seconds",
            "Seconds for which the oldest push, mail or digest has been due.",
            registry=registry,
        )
        self._deliveries_waiting = Gauge(
            "picshare_deliveries_waiting", "Pushes, mails and digests that wait, due or not.", registry=registry
        )

    def delivery_ended(self, *, channel: str, result: str) -> None:
        """Record an attempt or a decision: `sent`, `dropped`, `postponed`, `retried` or `failed`."""
        self._deliveries.labels(channel, result).inc()

    def deliveries_due(self, *, oldest_seconds: float, waiting: int) -> None:
        """Record for how long the oldest delivery has been due, and how many wait."""
        self._deliveries_oldest.set(oldest_seconds)
        self._deliveries_waiting.set(waiting)
