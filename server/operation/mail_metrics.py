"""Prometheus metrics of mails."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class MailMetrics:
    """Records mails by kind, never by recipient."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._mails = Counter(
            "picshare_mails", "Requests for mails by their result.", ("kind", "result"), registry=registry
        )

    def mail_handled(self, *, kind: str, result: str) -> None:
        """Record the result of a request: `sent`, `skipped`, `deferred` or `refused`."""
        self._mails.labels(kind, result).inc()
