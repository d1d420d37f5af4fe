"""The parent's record of a running load test: all measurements added up, and the status of each process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from loadtest import names
from loadtest.measures.measures import Measures
from loadtest.measures.timeline import Timeline

_RECENT = 5  # reports of each process that the progress covers


class Phase(StrEnum):
    """The phase of a load test."""

    PREPARE = "preparing"
    CONNECT = "connecting"
    ACT = "traffic"
    LEAVE = "leaving"
    OVER = "over"


@dataclass(slots=True)
class WorkerStatus:
    """Status of one tester process; seconds of CPU time and of the clock while it was connecting or acting."""

    connected: int = 0
    done: int = 0
    steps: int = 0
    notice: str = ""
    busy: float = 0.0
    passed: float = 0.0
    busiest: float = 0.0  # share of one core in the busiest second


class Record:
    """Adds up the reports; `began` is on the clock of `time.monotonic`."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.phase = Phase.PREPARE
        self.phase_since = began
        self.measures = Measures()
        self.timeline = Timeline()
        self.statuses: dict[int, WorkerStatus] = {}
        self.connecting_at = began
        self.acting: tuple[float, float] | None = None  # start and end, in seconds of the timeline
        self._recent: list[Measures] = []

    def enter(self, phase: Phase) -> None:
        """Begin another phase now."""
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
        return sum(status.connected for status in self.statuses.values())

    @property
    def prepared(self) -> tuple[int, int]:
        """Return how many steps of the preparation are done, and how many there are."""
        statuses = self.statuses.values()
        return sum(status.done for status in statuses), sum(status.steps for status in statuses)

    @property
    def notice(self) -> str:
        """Return what a process is waiting for; an empty text if none is."""
        return next((status.notice for status in self.statuses.values() if status.notice), "")

    def add_report(self, process: int, report: Mapping[str, Any]) -> None:
        """Add one report of a process."""
        measures = Measures.from_wire(report["measures"])
        self.measures.merge(measures)
        status = self.statuses.setdefault(process, WorkerStatus())
        status.connected, status.notice = report["connected"], report["notice"]
        status.done, status.steps = report["done"], report["steps"]
        if self.phase not in {Phase.CONNECT, Phase.ACT}:
            return
        status.busy += report["busy"]
        status.passed += report["passed"]
        if report["passed"] > 0.5:
            status.busiest = max(status.busiest, report["busy"] / report["passed"])
        # Reports count from the start of the test, and the timeline from the start of connecting.
        second = report["second"] + self.began - self.connecting_at
        latency = {kind: measures.durations[kind] for kind in names.KINDS if kind in measures.durations}
        self.timeline.add(second, latency, cut=measures.counts[names.CUT])
        self.timeline.record_connected(second, self.connected)
        self._recent = [*self._recent[-_RECENT * len(self.statuses) :], measures]

    def recent(self) -> Measures:
        """Return the measurements of the last few seconds."""
        total = Measures()
        for measures in self._recent:
            total.merge(measures)
        return total
