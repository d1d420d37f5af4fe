"""All sockets of one process: which are connected, whose they are, and what they pass on to the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence

from loadtest import names
from loadtest.client.connection import LoadSocket
from loadtest.client.frames import ReceivedPublication
from loadtest.client.protocol import Connected, Order
from loadtest.measures.measures import Measures
from loadtest.traffic.ledger import Ledger


class Audience:
    """Handles the events of all sockets; `up_since` is shared with the ledger."""

    def __init__(self, measures: Measures, owners: Sequence[int], *, patience: float) -> None:
        self._measures = measures
        self.up_since: list[float | None] = [None] * len(owners)
        self.ledger = Ledger(measures, self.up_since, patience=patience)
        self.sockets: list[LoadSocket] = []
        self.connected_now = 0
        self._by_account: dict[int, list[int]] = {}
        for number, account in enumerate(owners):
            self._by_account.setdefault(account, []).append(number)
        self._ever = [False] * len(owners)
        self._given_up = [False] * len(owners)
        self._recipients: dict[tuple[int, ...], frozenset[int]] = {}
        self.ttl = 0.0  # seconds for which a token is valid, from the last connect reply
        self.last_failure = ""
        self.closing = False  # the test is over: sockets that end now do not count as lost

    @property
    def waiting(self) -> int:
        """Return how many sockets have neither been connected yet nor given up."""
        return sum(not ever and not over for ever, over in zip(self._ever, self._given_up, strict=True))

    def close(self) -> None:
        """Record the end of the traffic, and count sockets that were connected once and are not any more."""
        self.closing = True
        self._measures.count(names.MISSING, sum(self._ever) - self.connected_now)

    @property
    def disconnected_now(self) -> int:
        """Return how many sockets were connected once, are not now, and will reconnect."""
        known = zip(self._ever, self._given_up, self.up_since, strict=True)
        return sum(ever and not over and since is None for ever, over, since in known)

    def sockets_of(self, account: int) -> list[int]:
        """Return the numbers of an account's sockets."""
        return self._by_account.get(account, [])

    def recipients(self, accounts: tuple[int, ...]) -> frozenset[int]:
        """Return the sockets of these accounts that were ever connected and have not given up."""
        recipients = self._recipients.get(accounts)
        if recipients is None:
            recipients = self._recipients[accounts] = frozenset(
                number
                for account in accounts
                for number in self.sockets_of(account)
                if self._ever[number] and not self._given_up[number]
            )
        return recipients

    def connected(self, number: int, result: Connected, seconds: float, *, again: bool) -> None:
        """Record a connect, and report streams that could not be recovered to the ledger."""
        now = time.monotonic()
        self.up_since[number] = now
        self.connected_now += 1
        self.ttl = result.ttl
        if not again:
            self._ever[number] = True
            self._recipients.clear()
            self._measures.count(names.CONNECTED)
            self._measures.took(names.CONNECT, seconds)
            return
        self._measures.count(names.RECONNECTED)
        self._measures.took(names.RECOVERY, seconds)
        for channel, complete in result.recovered.items():
            self._measures.count(names.RECOVERED if complete else names.UNRECOVERED)
            if not complete:
                self.ledger.gap(number, channel, now)

    def received(self, number: int, publication: ReceivedPublication, order: Order, now: float) -> None:
        """Count a publication by its order, and pass it to the ledger unless it is a repeat."""
        self._measures.count(names.PUBLICATIONS)
        if order is Order.REPEATED:
            self._measures.count(names.REPEATED)
            return
        if order is Order.BACKWARDS:
            self._measures.count(names.DISORDER)
        if publication.key:
            self.ledger.received(number, publication.key, publication.entry, now)

    def disconnected(self, number: int, code: int, *, cut: bool) -> None:
        """Record the end of a connection; count its close code unless the load test itself ended it."""
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

    def given_up(self, number: int) -> None:
        """Record that a socket will not reconnect."""
        if not self._given_up[number] and not self.closing:
            self._given_up[number] = True
            self._recipients.clear()
            self._measures.count(names.GAVE_UP)
            self.ledger.given_up(number, time.monotonic())
