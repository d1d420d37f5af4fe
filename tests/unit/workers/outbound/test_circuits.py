"""The circuits of a process: measured and logged by their names."""

from __future__ import annotations

from structlog.testing import capture_logs

from server.operation.metrics import Metrics
from storage.circuit import Circuit, CircuitPolicy
from workers.outbound.circuits import CircuitRegistry


class Scene:
    """A registry with metrics and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = Metrics()
        self.registry = CircuitRegistry(self.metrics, clock=lambda: self.now)

    def state(self, name: str) -> float | None:
        """Return the state of a circuit as Prometheus reads it."""
        return self.metrics.registry.get_sample_value("picshare_circuit_state", {"name": name})

    def calls(self, name: str, outcome: str) -> float | None:
        """Return the number of calls with an outcome."""
        labels = {"name": name, "outcome": outcome}
        return self.metrics.registry.get_sample_value("picshare_outbound_requests_total", labels)


def fail(circuit: Circuit) -> None:
    """Make a call that fails."""
    permit = circuit.admit()
    assert permit is not None
    permit.failed("timeout")


def test_the_state_is_read_when_it_is_asked_for() -> None:
    """A circuit is half open as soon as its pause is over, also if nothing calls."""
    scene = Scene()
    circuit = scene.registry.circuit("blobs", CircuitPolicy(failures=1, pause=2))
    assert scene.state("blobs") == 0
    with capture_logs() as logs:
        fail(circuit)
        assert (scene.state("blobs"), circuit.admit()) == (2, None)
        scene.now += 2
        assert scene.state("blobs") == 1
        fail(circuit)
        assert scene.state("blobs") == 2
        scene.now += 4
        permit = circuit.admit()
        assert permit is not None
        permit.succeeded()
    assert scene.state("blobs") == 0
    assert (scene.calls("blobs", "timeout"), scene.calls("blobs", "circuit_open"), scene.calls("blobs", "ok")) == (
        2,
        1,
        1,
    )
    # An outage has one line in the log, and its end another one.
    assert [(log["event"], log["log_level"], log["name"]) for log in logs] == [
        ("circuit_opened", "warning", "blobs"),
        ("circuit_closed", "info", "blobs"),
    ]


def test_a_name_has_one_circuit() -> None:
    """Parts of a process that call the same peer share what they know of it."""
    scene = Scene()
    first = scene.registry.circuit("blobs", CircuitPolicy(failures=1))
    assert scene.registry.circuit("blobs") is first
    fail(first)
    other = scene.registry.circuit("purge:hook")
    assert other is not first
    assert (scene.state("blobs"), scene.state("purge:hook")) == (2, 0)
