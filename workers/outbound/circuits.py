"""The circuits of a process: one for each peer of its outward calls, measured and logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from storage.circuit import Circuit, CircuitPolicy, CircuitState

log = structlog.get_logger(__name__)


class CircuitMetrics(Protocol):
    """Measures circuits and the calls through them."""

    def circuit_added(self, name: str, state: Callable[[], CircuitState]) -> None:
        """Show the state of a circuit from now on."""
        ...

    def outbound_request(self, *, name: str, outcome: str) -> None:
        """Record a call: `ok`, `circuit_open` (not made), `abandoned`, or the reason of its failure."""
        ...


class NoCircuitMetrics:
    """Records nothing."""

    def circuit_added(self, name: str, state: Callable[[], CircuitState]) -> None:
        """Do nothing."""

    def outbound_request(self, *, name: str, outcome: str) -> None:
        """Do nothing."""


class CircuitRegistry:
    """The circuits by name. Names are few and come from the settings: each is the value of a label of metrics."""

    def __init__(self, metrics: CircuitMetrics | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics or NoCircuitMetrics()
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}

    def circuit(self, name: str, policy: CircuitPolicy | None = None) -> Circuit:
        """Return the circuit of a name; the policy counts when it is asked for first."""
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._circuits[name] = Circuit(name, policy, observer=self, clock=self._clock)
            self._metrics.circuit_added(name, lambda: circuit.state)
        return circuit

    def call_done(self, name: str, outcome: str) -> None:
        """Count a call."""
        self._metrics.outbound_request(name=name, outcome=outcome)

    def opened(self, name: str, *, pause: float) -> None:
        """Log that calls are refused from now on."""
        log.warning("circuit_opened", name=name, seconds=pause)

    def closed(self, name: str) -> None:
        """Log that calls are made again."""
        log.info("circuit_closed", name=name)
