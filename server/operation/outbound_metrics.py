"""Prometheus metrics of outward calls and their circuits."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class OutboundMetrics:
    """Records requests to other services; names are few, and never one of a user."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._circuits = Gauge(
            "picshare_circuit_state",
            "State of the circuit of calls to another service: 0 closed, 1 half open, 2 open.",
            ("name",),
            registry=registry,
        )
        self._outbound = Counter(
            "picshare_outbound_requests", "Calls to other services by outcome.", ("name", "outcome"), registry=registry
        )

    def circuit_added(self, name: str, state: Callable[[], int]) -> None:
        """Show the state of a circuit from now on, as it is when the metrics are read."""
        self._circuits.labels(name).set_function(state)

    def outbound_request(self, *, name: str, outcome: str) -> None:
        """Record a call: `ok`, or the reason why there is no good response."""
        self._outbound.labels(name, outcome).inc()
