"""Prometheus metrics of push messages."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class PushMetrics:
    """Counts push messages, never by browser: these are as many as users want."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pushes = Counter(
            "picshare_pushes",
            "Push messages to single browsers, by what the push service has done with them.",
            ("result",),
            registry=registry,
        )

    def push_sent(self, *, result: str) -> None:
        """Record a message by its result: `sent`, `gone`, `retry`, or `refused`."""
        self._pushes.labels(result).inc()
