"""Prometheus metrics of one process, in a registry of their own; parts count through small protocols of theirs."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HTTP_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
_JOB_SECONDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_SLOW_BYTES = (65_536, 262_144, 1_048_576, 2_097_152, 4_194_304, 16_777_216)


class Metrics:
    """Count requests, jobs, feed insertions and what waits; `render` gives the text that Prometheus reads."""

    def __init__(self, version: str = "") -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "picshare_http_requests", "Answered requests.", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "picshare_http_request_seconds",
            "Seconds from a request's first line to its answer.",
            ("route",),
            buckets=_HTTP_SECONDS,
            registry=self.registry,
        )
        self._request_kinds: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._jobs = Counter("picshare_jobs", "Jobs by outcome.", ("queue", "outcome"), registry=self.registry)
        self._job_seconds = Histogram(
            "picshare_job_duration_seconds",
            "Seconds that a job took.",
            ("queue",),
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self._insertions = Counter(
            "picshare_feed_insertions", "Photos inserted into feeds, one a feed.", registry=self.registry
        )
        self._waiting = Gauge("picshare_queue_depth", "Messages that wait.", ("queue",), registry=self.registry)
        self._oldest = Gauge(
            "picshare_outbox_age_seconds", "Age of the oldest event in the outbox that is due.", registry=self.registry
        )
        self._connections = Gauge("picshare_live_connections", "Live connections now.", registry=self.registry)
        self._closes = Counter(
            "picshare_live_closes", "Ended live connections by close code.", ("code",), registry=self.registry
        )
        self._messages = Counter("picshare_live_messages", "Messages to live clients.", registry=self.registry)
        self._slow = Histogram(
            "picshare_live_slow_bytes",
            "Unsent bytes of live clients that were closed because they took too little.",
            buckets=_SLOW_BYTES,
            registry=self.registry,
        )
        self._resyncs = Counter(
            "picshare_live_resyncs", "Live connections read again after a loss.", ("outcome",), registry=self.registry
        )
        self._presence = Counter(
            "picshare_live_presence_changes",
            "People announced as online or away.",
            ("change",),
            registry=self.registry,
        )
        self._cleared = Counter(
            "picshare_live_processes_cleared",
            "Dead live processes whose people were cleared away.",
            registry=self.registry,
        )
        Gauge("picshare_info", "The version that runs.", ("version",), registry=self.registry).labels(version).set(1)

    def request_done(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Record one answered request; `route` is the template, never the path."""
        kind = (method, route, status)
        counted = self._request_kinds.get(kind)
        if counted is None:
            # Looking labels up costs as much as the rest of a quick request's bookkeeping.
            counted = (self._requests.labels(method, route, str(status)), self._request_seconds.labels(route))
            self._request_kinds[kind] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Record one attempt at a job."""
        self._jobs.labels(queue, outcome).inc()
        self._job_seconds.labels(queue).observe(seconds)

    def feeds_inserted(self, count: int) -> None:
        """Record insertions into feeds."""
        self._insertions.inc(count)

    def live_opened(self) -> None:
        """Record a live connection."""
        self._connections.inc()

    def live_closed(self, code: int) -> None:
        """Record the end of a live connection with its close code."""
        self._connections.dec()
        self._closes.labels(str(code)).inc()

    def live_sent(self, messages: int) -> None:
        """Record messages on their way to clients."""
        self._messages.inc(messages)

    def live_slow(self, waiting: int) -> None:
        """Record a client that was closed because so many bytes waited for it."""
        self._slow.observe(waiting)

    def live_recovered(self, *, recovered: int, lost: int) -> None:
        """Record connections whose streams were read again after a suspected loss."""
        self._resyncs.labels("recovered").inc(recovered)
        self._resyncs.labels("lost").inc(lost)

    def live_online(self, people: int) -> None:
        """Record people who were announced as online."""
        self._presence.labels("joined").inc(people)

    def live_offline(self, people: int) -> None:
        """Record people who were announced as away."""
        self._presence.labels("left").inc(people)

    def live_processes_expired(self, processes: int) -> None:
        """Record dead live processes that were cleared away."""
        self._cleared.inc(processes)

    def backlog(self, depths: Mapping[str, int], *, oldest_seconds: float) -> None:
        """Record what waits now; `<queue>.dead` are dead letters."""
        for queue, depth in depths.items():
            self._waiting.labels(queue).set(depth)
        self._oldest.set(oldest_seconds)

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)
