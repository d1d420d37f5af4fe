"""Prometheus metrics of one process, in a registry of their own; each part records through its own small protocol."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HTTP_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
_JOB_SECONDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_SLOW_BYTES = (65_536, 262_144, 1_048_576, 2_097_152, 4_194_304, 16_777_216)


class Metrics:
    """Metrics of requests, jobs, feeds, queues and live connections; `render` returns the text for Prometheus."""

    def __init__(self, version: str = "") -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "picshare_http_requests", "Completed requests.", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "picshare_http_request_seconds",
            "Seconds from the first line of a request to its response.",
            ("route",),
            buckets=_HTTP_SECONDS,
            registry=self.registry,
        )
        self._request_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._jobs = Counter("picshare_jobs", "Jobs by outcome.", ("queue", "outcome"), registry=self.registry)
        self._job_seconds = Histogram(
            "picshare_job_duration_seconds",
            "Duration of a job in seconds.",
            ("queue",),
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self._insertions = Counter(
            "picshare_feed_insertions", "Insertions of a photo into a feed.", registry=self.registry
        )
        self._waiting = Gauge(
            "picshare_queue_depth", "Messages that wait in a queue.", ("queue",), registry=self.registry
        )
        self._oldest = Gauge(
            "picshare_outbox_age_seconds",
            "Age in seconds of the oldest due event in the outbox.",
            registry=self.registry,
        )
        self._connections = Gauge("picshare_live_connections", "Open live connections.", registry=self.registry)
        self._closes = Counter(
            "picshare_live_closes", "Closed live connections by close code.", ("code",), registry=self.registry
        )
        self._messages = Counter("picshare_live_messages", "Messages sent to live clients.", registry=self.registry)
        self._slow = Histogram(
            "picshare_live_slow_bytes",
            "Unsent bytes of live connections that were closed because the client read too slowly.",
            buckets=_SLOW_BYTES,
            registry=self.registry,
        )
        self._recoveries = Counter(
            "picshare_live_recoveries",
            "Live connections whose streams were read again after a suspected loss.",
            ("outcome",),
            registry=self.registry,
        )
        self._presence = Counter(
            "picshare_live_presence_changes",
            "Users announced as online or offline.",
            ("change",),
            registry=self.registry,
        )
        self._expired = Counter(
            "picshare_live_processes_expired",
            "Dead live processes that were removed from presence.",
            registry=self.registry,
        )
        self._repaired = Counter(
            "picshare_notifications_repaired",
            "Notifications whose number of actors or newest actors were wrong.",
            registry=self.registry,
        )
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
            series = (self._requests.labels(method, route, str(status)), self._request_seconds.labels(route))
            self._request_series[key] = series
        series[0].inc()
        series[1].observe(seconds)

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Record one attempt at a job."""
        self._jobs.labels(queue, outcome).inc()
        self._job_seconds.labels(queue).observe(seconds)

    def feeds_inserted(self, count: int) -> None:
        """Record insertions into feeds."""
        self._insertions.inc(count)

    def live_opened(self) -> None:
        """Record a new live connection."""
        self._connections.inc()

    def live_closed(self, code: int) -> None:
        """Record the end of a live connection with its close code."""
        self._connections.dec()
        self._closes.labels(str(code)).inc()

    def live_sent(self, messages: int) -> None:
        """Record messages sent to clients."""
        self._messages.inc(messages)

    def live_slow(self, unsent: int) -> None:
        """Record a connection that was closed with so many `unsent` bytes."""
        self._slow.observe(unsent)

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Record connections whose streams were read again after a suspected loss."""
        self._recoveries.labels("recovered").inc(recovered)
        self._recoveries.labels("lost").inc(lost)

    def live_online(self, users: int) -> None:
        """Record users announced as online."""
        self._presence.labels("online").inc(users)

    def live_offline(self, users: int) -> None:
        """Record users announced as offline."""
        self._presence.labels("offline").inc(users)

    def live_processes_expired(self, processes: int) -> None:
        """Record dead live processes that were removed."""
        self._expired.inc(processes)

    def notifications_repaired(self, count: int) -> None:
        """Record notifications whose actors were counted again and corrected."""
        self._repaired.inc(count)

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

    def backlog(self, depths: Mapping[str, int], *, oldest_seconds: float) -> None:
        """Record the depth of each queue, and of its dead letters as `<queue>.dead`."""
        for queue, depth in depths.items():
            self._waiting.labels(queue).set(depth)
        self._oldest.set(oldest_seconds)

    def render(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
