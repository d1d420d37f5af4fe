"""Prometheus metrics of one process, in a registry of their own; each part records through its own small protocol."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from server.operation.abuse_metrics import AbuseMetrics
from server.operation.case_metrics import CaseMetrics
from server.operation.certificate_metrics import CertificateMetrics
from server.operation.delivery_metrics import DeliveryMetrics
from server.operation.dependency_metrics import DependencyMetrics
from server.operation.discover_metrics import DiscoverMetrics
from server.operation.event_metrics import EventMetrics
from server.operation.export_metrics import ExportMetrics
from server.operation.graphql_metrics import GraphqlMetrics
from server.operation.import_metrics import ImportMetrics
from server.operation.live_metrics import LiveMetrics
from server.operation.mail_metrics import MailMetrics
from server.operation.media_metrics import MediaMetrics
from server.operation.moderation_metrics import ModerationMetrics
from server.operation.oauth_metrics import OAuthMetrics
from server.operation.outbound_metrics import OutboundMetrics
from server.operation.provider_metrics import ProviderMetrics
from server.operation.push_metrics import PushMetrics
from server.operation.search_metrics import SearchMetrics
from server.operation.sign_in_metrics import SignInMetrics
from server.operation.star_metrics import StarMetrics
from server.operation.webhook_metrics import WebhookMetrics
from server.operation.worker_metrics import WorkerMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HTTP_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)


class Metrics(
    MediaMetrics,
    LiveMetrics,
    DiscoverMetrics,
    SearchMetrics,
    GraphqlMetrics,
    StarMetrics,
    WorkerMetrics,
    OutboundMetrics,
    WebhookMetrics,
    DeliveryMetrics,
    ExportMetrics,
    ImportMetrics,
    CaseMetrics,
    MailMetrics,
    AbuseMetrics,
    SignInMetrics,
    OAuthMetrics,
    ModerationMetrics,
    PushMetrics,
    ProviderMetrics,
    CertificateMetrics,
    EventMetrics,
    DependencyMetrics,
):
    """Metrics of requests, jobs, feeds, images, live connections, searches, webhooks, cases and other outward calls."""

    def __init__(self, version: str = "") -> None:
        self.registry = CollectorRegistry()
        MediaMetrics.__init__(self, self.registry)
        LiveMetrics.__init__(self, self.registry)
        DiscoverMetrics.__init__(self, self.registry)
        SearchMetrics.__init__(self, self.registry)
        GraphqlMetrics.__init__(self, self.registry)
        StarMetrics.__init__(self, self.registry)
        WorkerMetrics.__init__(self, self.registry)
        OutboundMetrics.__init__(self, self.registry)
        WebhookMetrics.__init__(self, self.registry)
        DeliveryMetrics.__init__(self, self.registry)
        ExportMetrics.__init__(self, self.registry)
        ImportMetrics.__init__(self, self.registry)
        CaseMetrics.__init__(self, self.registry)
        MailMetrics.__init__(self, self.registry)
        AbuseMetrics.__init__(self, self.registry)
        SignInMetrics.__init__(self, self.registry)
        OAuthMetrics.__init__(self, self.registry)
        ModerationMetrics.__init__(self, self.registry)
        PushMetrics.__init__(self, self.registry)
        ProviderMetrics.__init__(self, self.registry)
        CertificateMetrics.__init__(self, self.registry)
        EventMetrics.__init__(self, self.registry)
        DependencyMetrics.__init__(self, self.registry)
        ProcessCollector(registry=self.registry)  # nothing on systems without /proc
        self._requests = Counter(
            "picshare_http_requests", "Completed requests.", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "picshare_http_request_seconds",
            "Seconds from the first line of a request to its response.",
            ("method", "route"),
            buckets=_HTTP_SECONDS,
            registry=self.registry,
        )
        self._request_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._reads = Counter(
            "picshare_database_reads",
            "Reads that may use a replica, by the server that answered.",
            ("server",),
            registry=self.registry,
        )
        self._reads_repeated = Counter(
            "picshare_database_reads_repeated",
            "Reads that were repeated on the primary after a replica failed or did not find the row.",
            registry=self.registry,
        )
        self._replica_lag = Gauge(
            "picshare_replica_lag_seconds",
            "Seconds for which a replica may lack commits; infinite if unknown.",
            ("replica",),
            registry=self.registry,
        )
        self._replica_used = Gauge(
            "picshare_replica_used", "Whether a replica gets reads.", ("replica",), registry=self.registry
        )
        Gauge("picshare_info", "The version that runs.", ("version",), registry=self.registry).labels(version).set(1)

    def request_done(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Record one completed request; `route` is the template of the path, never the path itself."""
        key = (method, route, status)
        series = self._request_series.get(key)
        if series is None:
            # Looking up labels costs as much as the rest of the accounting of a quick request.
            series = (self._requests.labels(method, route, str(status)), self._request_seconds.labels(method, route))
            self._request_series[key] = series
        series[0].inc()
        series[1].observe(seconds)

    def read_done(self, server: str) -> None:
        """Record one read that may use a replica, and the server that answered it."""
        self._reads.labels(server).inc()

    def read_repeated(self) -> None:
        """Record one read that was repeated on the primary."""
        self._reads_repeated.inc()

    def replica_measured(self, replica: str, *, lag: float, in_use: bool) -> None:
        """Record the lag of a replica in seconds, and whether it gets reads."""
        self._replica_lag.labels(replica).set(lag)
        self._replica_used.labels(replica).set(in_use)

    def render(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
