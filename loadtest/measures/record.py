"""What the parent knows of a running load test: everything measured so far, added up, and how each process does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from loadtest import names
from loadtest.measures.measures import Measures
from loadtest.measures.timeline import Timeline

_RECENT = 5  # beats of every process that the progress looks back on


class Phase(StrEnum):
    """Where a load test stands."""

    PREPARE = "preparing"
    CONNECT = "connecting"
    ACT = "traffic"
    LEAVE = "leaving"
    OVER = "over"


@dataclass(slots=True)
class Pulse:
    """How one tester process does; seconds of processor time and of the clock while it was connecting or acting."""

    connected: int = 0
    done: int = 0
    steps: int = 0
    notice: str = ""
    busy: float = 0.0
    passed: float = 0.0
    busiest: float = 0.0  # share of one core in the busiest second


class Record:
    """Add up the beats; `began` is on the clock of `time.monotonic`."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.phase = Phase.PREPARE
        self.phase_since = began
        self.measures = Measures()
        self.timeline = Timeline()
        self.pulses: dict[int, Pulse] = {}
        self.connecting_at = began
        self.acting: tuple[float, float] | None = None  # from when to when, seconds of the timeline
        self._recent: list[Measures] = []

    def enter(self, phase: Phase) -> None:
        """Note that another phase begins now."""
        now = time.monotonic()
        if phase is Phase.CONNECT:
            self.connecting_at = now
        elif phase is Phase.ACT:
            self.acting = (now - self.connecting_at, now - self.connecting_at)
        elif self.phase is Phase.ACT and self.acting is not None:
            self.acting = (self.acting[0], now - self.connecting_at)
        self.phase, self.phase_since = phase, now

    @property
    def connected(self) -> int:
        """Return how many sockets are connected now."""
        return sum(pulse.connected for pulse in self.pulses.values())

    @property
    def prepared(self) -> tuple[int, int]:
        """Return how many steps of the preparation are done, and how many there are."""
        pulses = self.pulses.values()
        return sum(pulse.done for pulse in pulses), sum(pulse.steps for pulse in pulses)

    @property
    def notice(self) -> str:
        """Return what somebody is waiting for, if anybody is."""
        return next((pulse.notice for pulse in self.pulses.values() if pulse.notice), "")

    def beat(self, process: int, beat: Mapping[str, Any]) -> None:
        """Take in one beat of a process."""
        measures = Measures.from_wire(beat["measures"])
        self.measures.merge(measures)
        pulse = self.pulses.setdefault(process, Pulse())
        pulse.connected, pulse.notice = beat["connected"], beat["notice"]
        pulse.done, pulse.steps = beat["done"], beat["steps"]
        if self.phase not in {Phase.CONNECT, Phase.ACT}:
            return
        pulse.busy += beat["busy"]
        pulse.passed += beat["passed"]
        if beat["passed"] > 0.5:
            pulse.busiest = max(pulse.busiest, beat["busy"] / beat["passed"])
        second = beat["second"] + self.began - self.connecting_at
        latency = {kind: measures.durations[kind] for kind in names.KINDS if kind in measures.durations}
        self.timeline.add(second, latency, cut=measures.counts[names.CUT])
        self.timeline.look(second, self.connected)
        self._recent = [*self._recent[-_RECENT * len(self.pulses) :], measures]

    def recent(self) -> Measures:
        """Return what was measured in the last seconds."""
        total = Measures()
        for measures in self._recent:
            total.merge(measures)
        return total
