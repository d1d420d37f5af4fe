"""Prometheus metrics of sign-ins with providers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class ProviderMetrics:
    """Records sign-ins with OpenID providers, which are those of the settings."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._provider_sign_ins = Counter(
            "picshare_provider_sign_ins",
            "Ended sign-ins with OpenID providers by outcome.",
            ("provider", "outcome"),
            registry=registry,
        )

    def provider_sign_in(self, provider: str, outcome: str) -> None:
        """Record the end of a sign-in: `signed_in`, `signed_up`, `linked`, or why it has failed."""
        self._provider_sign_ins.labels(provider, outcome).inc()
