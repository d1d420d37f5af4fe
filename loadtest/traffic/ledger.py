"""The ledger of a load test: each act, the deliveries that it owes, and which of them arrived, late, twice or never.

It has no clock and does no I/O; times are seconds on the clock of `time.monotonic` of this process. Acts and
recipients are in one process, so a latency is a difference on one clock, from the moment before the request is sent
to the moment its publication is read.

An act owes a delivery to each of its recipients, which are sockets. A delivery is lost when the act reached another
recipient `patience` seconds ago and the socket has been connected for as long. A socket that is disconnected is not
judged, since it may recover. Every delivery owed ends in exactly one of: delivered, lost, gap, unjudged,
unfinished.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from loadtest import names
from loadtest.measures.measures import Measures

MAX_DISCONNECTED_PATIENCES = 6  # a socket that is disconnected for longer, in units of the patience, is not waited for


class RequestOutcome(Enum):
    """The state of an act's request."""

    OPEN = auto()  # no response yet
    DONE = auto()
    REFUSED = auto()  # it had no effect, so nothing is delivered
    UNKNOWN = auto()  # no response, or a 5xx: it may have had an effect


@dataclass(slots=True, eq=False)
class Act:
    """A like or an upload; `settled` is called once all of its deliveries are decided."""

    kind: str
    key: str
    channel: str
    sent: float
    recipients: frozenset[int]
    settled: Callable[[Act], None]
    awaiting: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)
    outcome: RequestOutcome = RequestOutcome.OPEN
    due: float | None = None  # start of the patience for the other recipients: the first delivery
    entry: str = ""
    photo_id: str = ""

    @property
    def received(self) -> bool:
        """Return whether any recipient has received it."""
        return self.due is not None


class Ledger:
    """Matches publications with acts; `up_since` has each socket's last connect, None while it is disconnected."""

    def __init__(self, measures: Measures, up_since: Sequence[float | None], *, patience: float) -> None:
        self._measures = measures
        self._up_since = up_since
        self._patience = patience
        self._acts: dict[str, Act] = {}
        self._open: dict[str, Act] = {}
        self._settled: deque[tuple[float, Act]] = deque()

    @property
    def open(self) -> int:
        """Return how many acts are not settled."""
        return len(self._open)

    def begin(  # noqa: PLR0917 - the fields of an act
        self, kind: str, key: str, channel: str, recipients: frozenset[int], now: float, settled: Callable[[Act], None]
    ) -> Act:
        """Record an act whose request is about to be sent."""
        act = Act(kind, key, channel, now, recipients, settled, set(recipients))
        self._acts[key] = self._open[key] = act
        self._measures.count(f"{names.ACTS} {kind}")
        self._measures.count(f"{names.EXPECTED} {kind}", len(recipients))
        return act

    def answered(self, act: Act, outcome: RequestOutcome, now: float) -> None:
        """Record the outcome of the request; unless it is DONE, nothing is owed any more."""
        act.outcome = outcome
        if outcome is not RequestOutcome.DONE:
            name = names.REFUSED if outcome is RequestOutcome.REFUSED else names.UNANSWERED
            self._measures.count(f"{name} {act.kind}")
            self._measures.count(f"{names.EXPECTED} {act.kind}", -len(act.awaiting))
            act.recipients = frozenset()
            act.awaiting.clear()
        self._settle(act, now)

    def received(self, number: int, key: str, entry: str, now: float) -> None:
        """Record that a socket received the publication of an act."""
        act = self._acts.get(key)
        if act is None:
            return
        if number in act.awaiting:
            act.awaiting.remove(number)
            self._measures.count(f"{names.DELIVERED} {act.kind}")
            self._measures.took(act.kind, now - act.sent)
            if act.due is None:
                act.due = now
                act.entry = entry
            if not act.awaiting:
                self._settle(act, now)
        elif number in act.excused:
            act.excused.remove(number)
            self._measures.count(f"{names.LATE} {act.kind}")
        elif number in act.recipients:
            self._measures.count(f"{names.DUPLICATE} {act.kind}")

    def gap(self, number: int, channel: str, now: float) -> None:
        """Record that a socket was informed of a gap in its stream: open deliveries there are not losses."""
        for act in list(self._open.values()):
            if act.channel == channel:
                self._excuse(act, [number], names.TOLD_GAPS, now)

    def given_up(self, number: int, now: float) -> None:
        """Record that a socket will not reconnect."""
        for act in list(self._open.values()):
            self._excuse(act, [number], names.UNJUDGED, now)

    def judge(self, now: float) -> None:
        """Count what is lost by now, and forget acts that were settled long ago."""
        for act in list(self._open.values()):
            if act.due is not None and act.outcome is RequestOutcome.DONE and now - act.due >= self._patience:
                self._excuse(act, self._lost(act, now), names.LOST, now)
                self._excuse(act, self._long_disconnected(act, now), names.UNJUDGED, now)
        # A settled act is kept for the patience, so that late and duplicate deliveries are still recognised.
        while self._settled and now - self._settled[0][0] >= self._patience:
            _, act = self._settled.popleft()
            if self._acts.get(act.key) is act:
                del self._acts[act.key]

    def undelivered(self, now: float) -> list[Act]:
        """Return the acts that reached no recipient within the patience, although one was connected all the time."""
        return [
            act
            for act in self._open.values()
            if not act.received
            and act.outcome is RequestOutcome.DONE
            and now - act.sent >= self._patience
            and any(self._been_up(number, now) for number in act.awaiting)
        ]

    def overdue(self, act: Act) -> None:
        """Start the patience of an undelivered act at the moment it was sent, so that `judge` counts it as lost."""
        act.due = act.sent

    def unfinished(self, act: Act, now: float) -> None:
        """Exclude an act that the service was still working on when the test ended."""
        self._excuse(act, list(act.awaiting), names.UNFINISHED, now)

    def close(self, now: float) -> None:
        """Decide about everything that is still open, at the end."""
        for act in list(self._open.values()):
            self._excuse(act, self._lost(act, now), names.LOST, now)
            self._excuse(act, list(act.awaiting), names.UNJUDGED, now)

    def _lost(self, act: Act, now: float) -> list[int]:
        return [number for number in act.awaiting if self._been_up(number, now)]

    def _long_disconnected(self, act: Act, now: float) -> list[int]:
        if now - act.sent < MAX_DISCONNECTED_PATIENCES * self._patience:
            return []
        return [number for number in act.awaiting if self._up_since[number] is None]

    def _been_up(self, number: int, now: float) -> bool:
        since = self._up_since[number]
        return since is not None and now - since >= self._patience

    def _excuse(self, act: Act, numbers: Sequence[int], name: str, now: float) -> None:
        """Take sockets off the awaited ones and count them under `name`; a later delivery counts as late."""
        numbers = [number for number in numbers if number in act.awaiting]
        if not numbers:
            return
        act.awaiting.difference_update(numbers)
        act.excused.update(numbers)
        self._measures.count(f"{name} {act.kind}", len(numbers))
        self._settle(act, now)

    def _settle(self, act: Act, now: float) -> None:
        if act.awaiting or act.outcome is RequestOutcome.OPEN or self._open.get(act.key) is not act:
            return
        del self._open[act.key]
        self._settled.append((now, act))
        act.settled(act)
