"""Prometheus metrics of live connections."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SLOW_BYTES = (65_536, 262_144, 1_048_576, 2_097_152, 4_194_304, 16_777_216)


class LiveMetrics:
    """Records connections, messages and presence."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connections = Gauge("picshare_live_connections", "Open live connections.", registry=registry)
        self._closes = Counter(
            "picshare_live_closes", "Closed live connections by close code.", ("code",), registry=registry
        )
        self._messages = Counter("picshare_live_messages", "Messages sent to live clients.", registry=registry)
        self._slow = Histogram(
            "picshare_live_slow_bytes",
            "Unsent bytes of live connections that were closed because the client read too slowly.",
            buckets=_SLOW_BYTES,
            registry=registry,
        )
        self._recoveries = Counter(
            "picshare_live_recoveries",
            "Live connections whose streams were read again after a suspected loss.",
            ("outcome",),
            registry=registry,
        )
        self._presence = Counter(
            "picshare_live_presence_changes",
            "Users announced as online or offline.",
            ("change",),
            registry=registry,
        )
        self._expired = Counter(
            "picshare_live_processes_expired",
            "Dead live processes that were removed from presence.",
            registry=registry,
        )

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
