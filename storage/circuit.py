"""Circuit breaker: calls to a peer that has failed several times in a row are refused at once for a while.

A circuit is closed (calls are let through), open (calls are refused) or half open (one call is let through as a probe,
and its outcome closes the circuit or opens it again, for twice as long). It knows nothing of what is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Protocol, Self, TypeAlias

OK = "ok"
REFUSED = "circuit_open"  # the call was not made
ABANDONED = "abandoned"  # the call ended without an outcome, e.g. because its task was cancelled


class CircuitState(IntEnum):
    """State of a circuit; the numbers are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitPolicy:
    """Number of failures in a row after which a circuit opens, and the seconds until a probe.

    The pause doubles with each probe that fails, up to `max_pause`.
    """

    failures: int = 10
    pause: float = 60.0
    max_pause: float = 600.0


class CircuitObserver(Protocol):
    """Receives the outcomes of calls, and the openings and closings of a circuit."""

    def call_done(self, name: str, outcome: str) -> None:
        """Record a call: `ok`, `circuit_open`, `abandoned`, or the reason of its failure."""
        ...

    def opened(self, name: str, *, pause: float) -> None:
        """Record that a circuit which was closed is open, for `pause` seconds at least."""
        ...

    def closed(self, name: str) -> None:
        """Record that a probe has succeeded."""
        ...


class NoObserver:
    """Records nothing."""

    def call_done(self, name: str, outcome: str) -> None:
        """Do nothing."""

    def opened(self, name: str, *, pause: float) -> None:
        """Do nothing."""

    def closed(self, name: str) -> None:
        """Do nothing."""


class Circuit:
    """Circuit of the calls to one peer; every call asks for a permit, and reports its outcome to it."""

    def __init__(
        self,
        name: str = "",
        policy: CircuitPolicy | None = None,
        *,
        observer: CircuitObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._policy = policy or CircuitPolicy()
        self._observer = observer or NoObserver()
        self._clock = clock
        self._failures = 0
        self._pause = 0.0  # seconds; 0 while the circuit is closed
        self._probe_at = 0.0
        self._probing = False
        # Outcomes of calls that began before the last change of the state must not change it again: ten calls that
        # time out together are one outage, and a late response says nothing about the present.
        self._generation = 0

    @property
    def state(self) -> CircuitState:
        """Return the state. An open circuit is half open as soon as the next call would be let through as a probe."""
        if not self._pause:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if self._probing or self._clock() >= self._probe_at else CircuitState.OPEN

    @property
    def retry_after(self) -> float:
        """Return the seconds until a call may be let through; 0 if one may now."""
        return max(0.0, self._probe_at - self._clock()) if self._pause else 0.0

    def admit(self) -> Permit | None:
        """Return a permit for one call, or None if it must not be made."""
        if self._pause:
            now = self._clock()
            if now < self._probe_at:
                self._observer.call_done(self.name, REFUSED)
                return None
            # A probe that has no outcome within the pause does not keep others from trying.
            self._probe_at, self._probing = now + self._pause, True
        return Permit(self, self._generation)

    def _succeeded(self, generation: int) -> None:
        self._observer.call_done(self.name, OK)
        if generation != self._generation:
            return
        self._failures = 0
        if self._pause:
            self._pause, self._probing = 0.0, False
            self._generation += 1
            self._observer.closed(self.name)

    def _failed(self, generation: int, reason: str) -> None:
        self._observer.call_done(self.name, reason)
        if generation != self._generation:
            return
        if self._pause:
            self._open(min(2 * self._pause, self._policy.max_pause))
            return
        self._failures += 1
        if self._failures >= self._policy.failures:
            self._open(self._policy.pause)
            self._observer.opened(self.name, pause=self._pause)

    def _abandoned(self, generation: int) -> None:
        self._observer.call_done(self.name, ABANDONED)
        if generation == self._generation and self._probing:
            self._probing, self._probe_at = False, self._clock()

    def _open(self, pause: float) -> None:
        self._failures, self._probing = 0, False
        self._pause, self._probe_at = pause, self._clock() + pause
        self._generation += 1


class Permit:
    """Permit for one call. It is a context manager, at whose end a call without an outcome counts as abandoned."""

    def __init__(self, circuit: Circuit, generation: int) -> None:
        self._circuit = circuit
        self._generation = generation
        self._done = False

    def succeeded(self) -> None:
        """Record that the peer has answered, whatever the answer was."""
        if not self._done:
            self._done = True
            self._circuit._succeeded(self._generation)

    def failed(self, reason: str = "failed") -> None:
        """Record that the peer has not answered; `reason` is a short word from a fixed set, for the metric."""
        if not self._done:
            self._done = True
            self._circuit._failed(self._generation, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._done:
            self._done = True
            self._circuit._abandoned(self._generation)


Circuits: TypeAlias = Callable[[str, CircuitPolicy], Circuit]  # the circuit of a name, made when it is first asked for
