"""Prometheus metrics of the workers: jobs, queues, feeds, and what the janitor does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_JOB_SECONDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class WorkerMetrics:
    """Records jobs, the depths of the queues, changes of feeds, and runs of periodic tasks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count_jobs(registry)
        self._count_feed_changes(registry)
        self._count_periodic_tasks(registry)

    def _count_jobs(self, registry: CollectorRegistry) -> None:
        self._jobs = Counter("picshare_jobs", "Jobs by outcome.", ("queue", "outcome"), registry=registry)
        self._job_seconds = Histogram(
            "picshare_job_duration_seconds",
            "Duration of a job in seconds.",
            ("queue",),
            buckets=_JOB_SECONDS,
            registry=registry,
        )
        self._event_age = Histogram(
            "picshare_event_age_seconds",
            "Seconds from the commit of an event to the end of its handling.",
            ("queue",),
            buckets=_JOB_SECONDS,
            registry=registry,
        )
        self._waiting = Gauge("picshare_queue_depth", "Messages that wait in a queue.", ("queue",), registry=registry)
        self._oldest = Gauge(
            "picshare_outbox_age_seconds",
            "Age in seconds of the oldest due event in the outbox.",
            registry=registry,
        )

        self._idle = Gauge(
            "picshare_queue_without_consumer",
            "Whether no process has consumed a queue for ten seconds.",
            ("queue",),
            registry=registry,
        )
        self._measured = Gauge(
            "picshare_backlog_measured_timestamp_seconds",
            "Unix time at which the queues were last measured; 0 in processes that do not measure them.",
            registry=registry,
        )

    def _count_feed_changes(self, registry: CollectorRegistry) -> None:
        self._insertions = Counter("picshare_feed_insertions", "Insertions of a photo into a feed.", registry=registry)
        self._notified = Counter(
            "picshare_notifications", "Activities of which users were notified.", ("kind",), registry=registry
        )

    def _count_periodic_tasks(self, registry: CollectorRegistry) -> None:
        self._repaired = Counter(
            "picshare_notifications_repaired",
            "Notifications whose number of actors or newest actors were wrong.",
            registry=registry,
        )
        self._counters_repaired = Counter(
            "picshare_counters_repaired",
            "Photos and accounts whose counters were wrong, and photos whose counters in Redis were.",
            ("kind",),
            registry=registry,
        )
        # A counter that first appears with a value above 0 has not increased for Prometheus.
        for kind in ("photo", "trend", "account", "cache"):
            self._counters_repaired.labels(kind)
        self._task_items = Counter(
            "picshare_periodic_task_items",
            "Things that a periodic task deleted or repaired.",
            ("task",),
            registry=registry,
        )
        self._task_runs = Counter(
            "picshare_periodic_task_runs", "Runs of a periodic task.", ("task", "outcome"), registry=registry
        )

    def job(self, *, queue: str, outcome: str, seconds: float) -> None:
        """Record one attempt at a job."""
        self._jobs.labels(queue, outcome).inc()
        self._job_seconds.labels(queue).observe(seconds)

    def event_handled(self, *, queue: str, age: float) -> None:
        """Record the seconds between the time at which an event was due and the end of its handling."""
        self._event_age.labels(queue).observe(age)

    def feeds_inserted(self, count: int) -> None:
        """Record insertions into feeds."""
        self._insertions.inc(count)

    def notified(self, *, kind: str) -> None:
        """Record a new activity of a notification of this kind."""
        self._notified.labels(kind).inc()

    def periodic_task_done(self, *, task: str, count: int) -> None:
        """Record one run of a periodic task, and how many things it deleted or repaired."""
        self._task_runs.labels(task, "done").inc()
        self._task_items.labels(task).inc(count)

    def periodic_task_failed(self, *, task: str) -> None:
        """Record one run of a periodic task that failed."""
        self._task_runs.labels(task, "failed").inc()

    def notifications_repaired(self, count: int) -> None:
        """Record notifications whose actors were counted again and corrected."""
        self._repaired.inc(count)

    def counters_repaired(self, kind: str, count: int) -> None:
        """Record how many counters of a kind were wrong: `photo`, `trend`, `account`, or `cache` for those in Redis."""
        self._counters_repaired.labels(kind).inc(count)

    def backlog(self, depths: Mapping[str, int], *, oldest_seconds: float, idle: Collection[str] = ()) -> None:
        """Record the depth of each queue, and of its dead letters as `<queue>.dead`; `idle` lack a consumer."""
        for queue, depth in depths.items():
            self._waiting.labels(queue).set(depth)
            if not queue.endswith(".dead"):
                self._idle.labels(queue).set(queue in idle)
        self._oldest.set(oldest_seconds)
        self._measured.set_to_current_time()
