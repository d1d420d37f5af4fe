"""Metrics of the server's certificate, and of the orders for new ones."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from server.operation.certificates import Validity


class CertificateMetrics:
    """Metrics of the server's certificate, and of the orders for new ones."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._expires = Gauge(
            "picshare_certificate_expires_timestamp_seconds",
            "When the certificate in use ends, in seconds since 1970.",
            ("domain",),
            registry=registry,
        )
        self._lifetime = Gauge(
            "picshare_certificate_lifetime_seconds",
            "Seconds for which the certificate in use is valid in all.",
            ("domain",),
            registry=registry,
        )
        self._loads = Counter(
            "picshare_certificate_loads",
            "Attempts to load the files of the certificate, by result.",
            ("result",),
            registry=registry,
        )
        self._orders = Counter(
            "picshare_acme_orders", "Orders for certificates by ACME, by result.", ("result",), registry=registry
        )

    def certificate_loaded(self, validity: Validity) -> None:
        """Record the certificate that is used from now on."""
        for gauge, value in (
            (self._expires, validity.ends.timestamp()),
            (self._lifetime, validity.lifetime.total_seconds()),
        ):
            # The new certificate may have another name.
            gauge.clear()
            gauge.labels(validity.domain).set(value)
        self._loads.labels("loaded").inc()

    def certificate_refused(self) -> None:
        """Record files that could not be used."""
        self._loads.labels("refused").inc()

    def certificate_ordered(self, *, issued: bool) -> None:
        """Record an order, and whether a certificate was issued."""
        self._orders.labels("issued" if issued else "failed").inc()
