"""All sockets of one process: who is connected, who belongs to whom, and what they tell the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence

from loadtest import names
from loadtest.client.connection import LoadSocket
from loadtest.client.frames import Publication
from loadtest.client.protocol import Connected, Order
from loadtest.measures.measures import Measures
from loadtest.traffic.ledger import Ledger


class Crowd:
    """Hear what every socket hears; `up_since` is shared with the ledger."""

    def __init__(self, measures: Measures, owners: Sequence[int], *, patience: float) -> None:
        self._measures = measures
        self.up_since: list[float | None] = [None] * len(owners)
        self.ledger = Ledger(measures, self.up_since, patience=patience)
        self.sockets: list[LoadSocket] = []
        self.connected_now = 0
        self._by_person: dict[int, list[int]] = {}
        for number, person in enumerate(owners):
            self._by_person.setdefault(person, []).append(number)
        self._ever = [False] * len(owners)
        self._gone = [False] * len(owners)
        self._audiences: dict[tuple[int, ...], frozenset[int]] = {}
        self.ttl = 0.0  # seconds that a token lasts, as the last connect said
        self.last_failure = ""
        self.closing = False  # the test is over: whoever leaves now was sent away

    @property
    def waiting(self) -> int:
        """Return how many sockets have neither been connected yet nor given up."""
        return sum(not ever and not gone for ever, gone in zip(self._ever, self._gone, strict=True))

    def close(self) -> None:
        """Note that the traffic is over, and count who was connected once and is not any more."""
        self.closing = True
        self._measures.count(names.MISSING, sum(self._ever) - self.connected_now)

    @property
    def away_now(self) -> int:
        """Return how many sockets were connected once, are not now, and will come back."""
        known = zip(self._ever, self._gone, self.up_since, strict=True)
        return sum(ever and not gone and since is None for ever, gone, since in known)

    def sockets_of(self, person: int) -> list[int]:
        """Return the numbers of a person's sockets."""
        return self._by_person.get(person, [])

    def audience(self, people: tuple[int, ...]) -> frozenset[int]:
        """Return the sockets of these people that were ever connected and may still be told something."""
        audience = self._audiences.get(people)
        if audience is None:
            audience = self._audiences[people] = frozenset(
                number
                for person in people
                for number in self.sockets_of(person)
                if self._ever[number] and not self._gone[number]
            )
        return audience

    def connected(self, number: int, result: Connected, seconds: float, *, again: bool) -> None:
        """Take a socket that is connected into the count."""
        now = time.monotonic()
        self.up_since[number] = now
        self.connected_now += 1
        self.ttl = result.ttl
        if not again:
            self._ever[number] = True
            self._audiences.clear()
            self._measures.count(names.CONNECTED)
            self._measures.took(names.CONNECT, seconds)
            return
        self._measures.count(names.RECONNECTED)
        self._measures.took(names.RECOVERY, seconds)
        for channel, complete in result.recovered.items():
            self._measures.count(names.RECOVERED if complete else names.UNRECOVERED)
            if not complete:
                self.ledger.gap(number, channel, now)

    def heard(self, number: int, publication: Publication, order: Order, now: float) -> None:
        """Judge a publication's order and hand it to the ledger."""
        self._measures.count(names.PUBLICATIONS)
        if order is Order.REPEATED:
            self._measures.count(names.REPEATED)
            return
        if order is Order.BACKWARDS:
            self._measures.count(names.DISORDER)
        if publication.key:
            self.ledger.heard(number, publication.key, publication.entry, now)

    def away(self, number: int, code: int, *, cut: bool) -> None:
        """Take a socket out of the count for a while."""
        self.up_since[number] = None
        self.connected_now -= 1
        if not cut and not self.closing:
            self._measures.closed(code)

    def failed(self, number: int, sentence: str) -> None:
        """Count a failed attempt to connect."""
        del number
        self.last_failure = sentence
        self._measures.count(names.REFUSALS)
        self._measures.failed(sentence)

    def gone(self, number: int) -> None:
        """Take a socket out of the count for good."""
        if not self._gone[number] and not self.closing:
            self._gone[number] = True
            self._audiences.clear()
            self._measures.count(names.GAVE_UP)
            self.ledger.gone(number, time.monotonic())
