"""Prometheus metrics of sign-ins."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class SignInMetrics:
    """Records sign-ins by their way and outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sign_ins = Counter(
            "picshare_sign_ins", "Sign-ins by way and outcome.", ("way", "outcome"), registry=registry
        )

    def sign_in_done(self, *, way: str, outcome: str) -> None:
        """Record a sign-in."""
        self._sign_ins.labels(way, outcome).inc()
