"""The ledger of a load test: what was done, who is to hear of it, and who heard, too late, twice or never.

It has no clock and does no I/O; times are seconds on one clock, that of `time.monotonic` of this process. Acts
and listeners are in one process, so a latency is a difference on one clock, from the moment before the request
was sent to the moment its publication was read.

A delivery is owed to every socket of an act's audience. It is judged lost when the act was heard of by others
`patience` seconds ago and the socket has been connected for as long. A socket that is away is not judged: it may
recover. Every delivery owed ends in exactly one of: delivered, lost, told gap, unjudged, unfinished.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from loadtest import names
from loadtest.measures.measures import Measures

AWAY_PATIENCES = 6  # a socket that is away for so many patiences is not waited for any more


class Outcome(Enum):
    """What became of an act's request."""

    OPEN = auto()  # not answered yet
    DONE = auto()
    NOTHING = auto()  # refused: nobody will hear of it
    UNKNOWN = auto()  # no answer: nobody knows


@dataclass(slots=True, eq=False)
class Act:
    """Something that people are to hear of; `settled` is called once everything about it is known."""

    kind: str
    key: str
    channel: str
    sent: float
    audience: frozenset[int]
    settled: Callable[[Act], None]
    awaiting: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)
    outcome: Outcome = Outcome.OPEN
    due: float | None = None  # from when on stragglers are waited for: the first delivery
    entry: str = ""
    photo_id: str = ""

    @property
    def heard(self) -> bool:
        """Tell whether anybody has heard of it."""
        return self.due is not None


class Ledger:
    """Match publications with acts; `up_since` has each socket's last connect, None while it is away."""

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

    def begin(  # noqa: PLR0917 - what an act is
        self, kind: str, key: str, channel: str, audience: frozenset[int], now: float, settled: Callable[[Act], None]
    ) -> Act:
        """Write down an act whose request is about to be sent."""
        act = Act(kind, key, channel, now, audience, settled, set(audience))
        self._acts[key] = self._open[key] = act
        self._measures.count(f"{names.ACTS} {kind}")
        self._measures.count(f"{names.EXPECTED} {kind}", len(audience))
        return act

    def answered(self, act: Act, outcome: Outcome, now: float) -> None:
        """Note what became of the request; what was not done is owed to nobody."""
        act.outcome = outcome
        if outcome is not Outcome.DONE:
            name = names.REFUSED if outcome is Outcome.NOTHING else names.UNANSWERED
            self._measures.count(f"{name} {act.kind}")
            self._measures.count(f"{names.EXPECTED} {act.kind}", -len(act.awaiting))
            act.audience = frozenset()
            act.awaiting.clear()
        self._settle(act, now)

    def heard(self, number: int, key: str, entry: str, now: float) -> None:
        """Note that a socket was told of something."""
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
        elif number in act.audience:
            self._measures.count(f"{names.DUPLICATE} {act.kind}")

    def gap(self, number: int, channel: str, now: float) -> None:
        """Note that a socket was told that its stream could not be recovered: what is open there is not a loss."""
        for act in list(self._open.values()):
            if act.channel == channel:
                self._excuse(act, [number], names.TOLD_GAPS, now)

    def gone(self, number: int, now: float) -> None:
        """Note that a socket will not come back."""
        for act in list(self._open.values()):
            self._excuse(act, [number], names.UNJUDGED, now)

    def judge(self, now: float) -> None:
        """Count what is lost by now, and forget acts that were settled long ago."""
        for act in list(self._open.values()):
            if act.due is not None and act.outcome is Outcome.DONE and now - act.due >= self._patience:
                self._excuse(act, self._lost(act, now), names.LOST, now)
                self._excuse(act, self._long_away(act, now), names.UNJUDGED, now)
        while self._settled and now - self._settled[0][0] >= self._patience:
            _, act = self._settled.popleft()
            if self._acts.get(act.key) is act:
                del self._acts[act.key]

    def unheard(self, now: float) -> list[Act]:
        """Return the acts that nobody has heard of for the whole patience, though somebody could."""
        return [
            act
            for act in self._open.values()
            if not act.heard
            and act.outcome is Outcome.DONE
            and now - act.sent >= self._patience
            and any(self._been_up(number, now) for number in act.awaiting)
        ]

    def overdue(self, act: Act) -> None:
        """Judge an act that nobody has heard of from now on as if it had been announced when it was sent."""
        act.due = act.sent

    def unfinished(self, act: Act, now: float) -> None:
        """Take an act out of the judgement: the service had not got round to it when the test ended."""
        self._excuse(act, list(act.awaiting), names.UNFINISHED, now)

    def close(self, now: float) -> None:
        """Judge everything that is open, at the end."""
        for act in list(self._open.values()):
            self._excuse(act, self._lost(act, now), names.LOST, now)
            self._excuse(act, list(act.awaiting), names.UNJUDGED, now)

    def _lost(self, act: Act, now: float) -> list[int]:
        return [number for number in act.awaiting if self._been_up(number, now)]

    def _long_away(self, act: Act, now: float) -> list[int]:
        if now - act.sent < AWAY_PATIENCES * self._patience:
            return []
        return [number for number in act.awaiting if self._up_since[number] is None]

    def _been_up(self, number: int, now: float) -> bool:
        since = self._up_since[number]
        return since is not None and now - since >= self._patience

    def _excuse(self, act: Act, numbers: Sequence[int], name: str, now: float) -> None:
        numbers = [number for number in numbers if number in act.awaiting]
        if not numbers:
            return
        act.awaiting.difference_update(numbers)
        act.excused.update(numbers)
        self._measures.count(f"{name} {act.kind}", len(numbers))
        self._settle(act, now)

    def _settle(self, act: Act, now: float) -> None:
        if act.awaiting or act.outcome is Outcome.OPEN or self._open.get(act.key) is not act:
            return
        del self._open[act.key]
        self._settled.append((now, act))
        act.settled(act)
