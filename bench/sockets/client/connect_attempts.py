"""Many clients that connect: each tries until it is in, waiting longer after each failure, as the open SDKs do."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.sockets.client.concurrency import Doorway
from bench.sockets.client.connection import Line
from bench.sockets.client.reactor import Reactor

_PATIENCE = 10.0  # seconds until a client gives an attempt up
_BACKOFF = (0.5, 20.0)  # seconds: the first delay at most, and any at most


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What came of it: seconds until the last one was in, failed attempts by reason, and how the streams stand.

    `recovered` and `lost` count the streams that were to be recovered, two a client; `publications` were missed
    meanwhile and came with the connect.
    """

    seconds: float
    failures: Mapping[str, int]
    recovered: int
    lost: int
    publications: int


class Arrivals:
    """Have `connect` called for each line that is expected, again after each failure, `at_once` of them at a time."""

    def __init__(self, reactor: Reactor, connect: Callable[[Line], None], *, at_once: int) -> None:
        self._reactor = reactor
        self._connect = connect
        self._doorway = Doorway(at_once)
        self._attempts: dict[int, int] = {}  # of those who are not in, by the line's number
        self._failures: Counter[str] = Counter()
        self._started = time.perf_counter()

    @property
    def over(self) -> bool:
        """Tell whether everybody is in."""
        return not self._attempts

    def expect(self, line: Line, *, spread: float = 0.0) -> None:
        """Have a line connected at a random moment of the next `spread` seconds, or when its turn comes."""
        self._attempts[line.number] = 0
        enter = partial(self._doorway.enter, partial(self._attempt, line))
        if spread:
            self._reactor.later(random.random() * spread, enter)
        else:
            enter()

    def tell(self, line: Line, reason: str | None) -> None:
        """Learn that a line is in (`reason` None), or why it is not; who fails keeps the place at the door."""
        if reason is None:
            del self._attempts[line.number]
            self._doorway.passed()
            return
        self._failures[reason] += 1
        first, longest = _BACKOFF
        delay = min(longest, first * 2 ** self._attempts[line.number])
        self._reactor.later(random.random() * delay, partial(self._attempt, line))

    def summary(self, results: Sequence[Mapping[str, Any]]) -> Arrived:
        """Return what came of it, from everybody's connect result."""
        asked = [
            stream for result in results for stream in result["subs"].values() if stream.get("was_recovering", False)
        ]
        recovered = sum(stream["recovered"] for stream in asked)
        return Arrived(
            seconds=time.perf_counter() - self._started,
            failures=dict(self._failures),
            recovered=recovered,
            lost=len(asked) - recovered,
            publications=sum(len(stream["publications"]) for stream in asked),
        )

    def _attempt(self, line: Line) -> None:
        self._attempts[line.number] += 1
        self._reactor.later(_PATIENCE, partial(self._give_up, line, self._attempts[line.number]))
        self._connect(line)

    def _give_up(self, line: Line, attempt: int) -> None:
        if self._attempts.get(line.number) == attempt and line.is_open:
            line.close()
            self.tell(line, f"no answer within {_PATIENCE:g} s")
