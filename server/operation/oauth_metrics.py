"""Prometheus metrics of the authorization server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class OAuthMetrics:
    """Records requests of applications by kind and outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._oauth_requests = Counter(
            "picshare_oauth_requests",
            "Requests of applications for tokens and about them, by kind and outcome.",
            ("request", "outcome"),
            registry=registry,
        )

    def oauth_done(self, *, request: str, outcome: str) -> None:
        """Record a request."""
        self._oauth_requests.labels(request, outcome).inc()
