"""Prometheus metrics of webhooks."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# An attempt ends after 15 seconds.
_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class WebhookMetrics:
    """Records attempts and deliveries, never by endpoint: these are as many as users want."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._webhook_seconds = Histogram(
            "picshare_webhook_attempt_seconds",
            "Seconds from the beginning of an attempt to its response or failure.",
            ("outcome",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._webhook_deliveries = Counter(
            "picshare_webhook_deliveries",
            "Deliveries of webhooks that need no further attempt.",
            ("outcome",),
            registry=registry,
        )
        self._webhook_oldest = Gauge(
            "picshare_webhook_due_age_seconds",
            "Seconds for which the oldest delivery has been due that no worker has looked at.",
            registry=registry,
        )
        self._webhook_circuits = Gauge(
            "picshare_webhook_circuits_open",
            "Webhooks with messages that wait for the end of a pause after failures.",
            registry=registry,
        )

    def webhook_attempted(self, *, outcome: str, seconds: float) -> None:
        """Record an attempt, which was `delivered`, `failed` or `gone`, and its duration."""
        self._webhook_seconds.labels(outcome).observe(seconds)

    def webhook_ended(self, *, state: str) -> None:
        """Record a delivery that needs no further attempt: it is `done`, `failed` or `void`."""
        self._webhook_deliveries.labels(state).inc()

    def webhooks_due(self, *, oldest_seconds: float, circuits_open: int) -> None:
        """Record for how long the oldest delivery has been due that no worker has looked at, and the open circuits."""
        self._webhook_oldest.set(oldest_seconds)
        self._webhook_circuits.set(circuits_open)
