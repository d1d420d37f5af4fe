"""Prometheus metrics of moderation."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class ModerationMetrics:
    """Records decisions about photos, and the photos that wait for one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "picshare_moderation_decisions",
            "Decisions about photos, repeated ones included.",
            ("action", "by"),
            registry=registry,
        )
        self._held = Gauge(
            "picshare_moderation_held_photos", "Photos that are held until a decision.", registry=registry
        )
        self._held_age = Gauge(
            "picshare_moderation_held_age_seconds",
            "Seconds since the upload of the oldest photo that is held.",
            registry=registry,
        )

    def photo_decided(self, *, action: str, by: str) -> None:
        """Record a decision about a photo that was stored."""
        self._decisions.labels(action, by).inc()

    def photos_held(self, *, number: int, oldest_seconds: float) -> None:
        """Record how many photos are held, and for how long the oldest of them."""
        self._held.set(number)
        self._held_age.set(oldest_seconds)
