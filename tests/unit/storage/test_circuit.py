"""Circuit breaker: when calls are let through, and that no sequence of outcomes breaks its rules."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from storage.circuit import Circuit, CircuitPolicy, CircuitState, Permit


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


class Records:
    """What an observer receives."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def call_done(self, name: str, outcome: str) -> None:
        """Keep the outcome of a call."""
        self.events.append((name, outcome))

    def opened(self, name: str, *, pause: float) -> None:
        """Keep an opening."""
        self.events.append((name, "opened", pause))

    def closed(self, name: str) -> None:
        """Keep a closing."""
        self.events.append((name, "closed"))


POLICY = CircuitPolicy(failures=3, pause=60.0, max_pause=200.0)


class Scene:
    """A circuit with three failures until it opens, its clock and its observer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.records = Records()
        self.circuit = Circuit("peer", POLICY, observer=self.records, clock=self.clock)

    def state(self) -> CircuitState:
        """Return the state now."""
        return self.circuit.state

    def admit(self) -> Permit:
        """Return a permit, which must be given."""
        permit = self.circuit.admit()
        assert permit is not None
        return permit

    def fail(self, times: int = 1) -> None:
        """Make calls that fail."""
        for _ in range(times):
            self.admit().failed("timeout")


@pytest.fixture
def scene() -> Scene:
    """A closed circuit."""
    return Scene()


def test_failures_in_a_row_open_it(scene: Scene) -> None:
    """A success in between starts the count again; the third failure in a row opens the circuit."""
    scene.fail(2)
    scene.admit().succeeded()
    scene.fail(2)
    assert scene.state() is CircuitState.CLOSED
    scene.fail()
    assert scene.state() is CircuitState.OPEN
    assert scene.circuit.admit() is None
    assert scene.circuit.retry_after == 60.0
    outcomes = ["timeout", "timeout", "ok", "timeout", "timeout", "timeout"]
    assert scene.records.events == [
        *(("peer", outcome) for outcome in outcomes),
        ("peer", "opened", 60.0),
        ("peer", "circuit_open"),
    ]


def test_the_first_policy_is_ten_failures_and_a_minute() -> None:
    """Without a policy of its own a circuit opens after ten failures, for a minute, and for ten at most."""
    assert CircuitPolicy() == CircuitPolicy(failures=10, pause=60.0, max_pause=600.0)


def test_one_probe_closes_it(scene: Scene) -> None:
    """After the pause one call is let through; while it runs, others are refused; its success closes the circuit."""
    scene.fail(3)
    scene.clock.now += 59.9
    assert scene.circuit.admit() is None
    scene.clock.now += 0.1
    assert (scene.state(), scene.circuit.retry_after) == (CircuitState.HALF_OPEN, 0)
    probe = scene.admit()
    assert scene.state() is CircuitState.HALF_OPEN
    assert scene.circuit.admit() is None
    probe.succeeded()
    assert (scene.state(), scene.circuit.retry_after) == (CircuitState.CLOSED, 0)
    scene.fail(2)
    assert scene.state() is CircuitState.CLOSED
    assert scene.records.events.count(("peer", "closed")) == 1


def test_the_pause_doubles_up_to_its_limit(scene: Scene) -> None:
    """Each probe that fails opens the circuit for twice as long, 200 seconds at most; one that succeeds resets that."""
    scene.fail(3)
    pauses = []
    for _ in range(4):
        pauses.append(scene.circuit.retry_after)
        scene.clock.now += scene.circuit.retry_after
        scene.fail()
    assert pauses == [60, 120, 200, 200]
    scene.clock.now += scene.circuit.retry_after
    scene.admit().succeeded()
    scene.fail(3)
    assert scene.circuit.retry_after == 60
    assert [event for event in scene.records.events if "opened" in event] == [("peer", "opened", 60.0)] * 2


def test_late_outcomes_change_nothing(scene: Scene) -> None:
    """Calls that began before the circuit opened neither close it nor make its pause longer."""
    late = [scene.admit() for _ in range(4)]
    scene.fail(3)
    late[0].succeeded()
    late[1].failed()
    assert scene.circuit.retry_after == 60
    scene.clock.now += 60
    probe = scene.admit()
    late[2].failed()
    probe.succeeded()
    late[3].failed()
    scene.fail(2)
    assert scene.state() is CircuitState.CLOSED


def test_an_abandoned_probe_makes_room_for_the_next(scene: Scene) -> None:
    """A probe whose task is cancelled is no failure; the next call is a probe at once."""
    scene.fail(3)
    scene.clock.now += 60
    with pytest.raises(KeyboardInterrupt), scene.admit():
        raise KeyboardInterrupt
    assert scene.state() is CircuitState.HALF_OPEN
    scene.admit().succeeded()
    assert scene.state() is CircuitState.CLOSED
    assert ("peer", "abandoned") in scene.records.events


def test_an_abandoned_call_is_no_outcome(scene: Scene) -> None:
    """While the circuit is closed, a call that ends without an outcome leaves the count as it is."""
    scene.fail(2)
    with scene.admit():
        pass
    scene.fail()
    assert scene.state() is CircuitState.OPEN


def test_a_probe_without_an_outcome_is_given_up(scene: Scene) -> None:
    """A probe that has not ended after the pause does not keep others from trying."""
    scene.fail(3)
    scene.clock.now += 60
    first = scene.admit()
    scene.clock.now += 60
    second = scene.admit()
    assert scene.circuit.admit() is None
    first.succeeded()
    second.failed()
    scene.fail(2)  # the second probe began before the circuit closed, so these are not the third failure
    assert scene.state() is CircuitState.CLOSED


def test_the_first_outcome_of_a_call_counts(scene: Scene) -> None:
    """A second outcome of the same call, and the end of its context, are ignored."""
    with scene.admit() as permit:
        permit.failed("timeout")
        permit.succeeded()
        permit.failed("timeout")
    assert scene.records.events == [("peer", "timeout")]


@dataclass(frozen=True)
class Call:
    """A permit, or none, and the phase in which the circuit was asked for it."""

    permit: Permit | None
    phase: int


class CircuitMachine(RuleBasedStateMachine):
    """Random calls, outcomes and waits, next to a model: phases of being closed or open, and what ends them.

    A phase ends with the third failure in a row, or with the first outcome of a probe. Only its own calls count in it.
    """

    calls: Bundle[Call] = Bundle("calls")

    @initialize()
    def start(self) -> None:
        """Start with a closed circuit."""
        self.clock = Clock()
        self.circuit = Circuit("peer", POLICY, clock=self.clock)
        self.phase = 0
        self.failures = 0
        self.pause = 0.0  # seconds; 0 while the circuit is closed
        self.free_from = 0.0  # the time from which on a call is let through

    @rule(target=calls)
    def call(self) -> Call:
        """Ask for a permit; it is given while the circuit is closed, and once in a pause while it is open."""
        permit = self.circuit.admit()
        assert (permit is not None) == (not self.pause or self.clock.now >= self.free_from)
        if permit is not None and self.pause:
            self.free_from = self.clock.now + self.pause
        return Call(permit, self.phase)

    @rule(call=consumes(calls))
    def succeed(self, call: Call) -> None:
        """End a call with success."""
        if call.permit is not None:
            call.permit.succeeded()
            if call.phase == self.phase:
                self.phase += bool(self.pause)
                self.failures, self.pause = 0, 0.0

    @rule(call=consumes(calls))
    def fail(self, call: Call) -> None:
        """End a call with a failure."""
        if call.permit is None:
            return
        call.permit.failed()
        if call.phase != self.phase:
            return
        self.failures += 1
        if self.pause or self.failures == POLICY.failures:
            self.pause = min(2 * self.pause, POLICY.max_pause) or POLICY.pause
            self.phase, self.failures, self.free_from = self.phase + 1, 0, self.clock.now + self.pause

    @rule(call=consumes(calls))
    def abandon(self, call: Call) -> None:
        """End a call without an outcome; the next one may be a probe at once."""
        if call.permit is not None:
            with call.permit:
                pass
            if call.phase == self.phase and self.pause:
                self.free_from = min(self.free_from, self.clock.now)

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 60.0, 119.0, 200.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @invariant()
    def the_state_is_that_of_the_model(self) -> None:
        """The circuit is closed exactly if the model is, and lets a call through within its longest pause."""
        assert (self.circuit.state is CircuitState.CLOSED) == (not self.pause)
        assert self.circuit.retry_after == (max(0.0, self.free_from - self.clock.now) if self.pause else 0)
        assert self.circuit.retry_after <= POLICY.max_pause
        assert self.circuit.state is not CircuitState.OPEN or self.circuit.retry_after > 0


CircuitMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestCircuitMachine = CircuitMachine.TestCase
