"""All sockets of one process: which are connected, which are recipients, and what is counted."""

from __future__ import annotations

from loadtest.client.frames import ReceivedPublication
from loadtest.client.protocol import Connected, Order
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Audience


class AudienceCase:
    """Two users with two sockets each: 0 and 2, 1 and 3."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.audience = Audience(self.measures, [0, 1, 0, 1], patience=10.0)

    def connect(self, *numbers: int, again: bool = False, **recovered: bool) -> None:
        """Report connects of some sockets."""
        for number in numbers:
            result = Connected(ping=25, ttl=900, recovered=recovered, missed=())
            self.audience.connected(number, result, 0.01, again=again)

    def counts(self, *names: str) -> list[int]:
        """Return some counts."""
        return [self.measures.counts[name] for name in names]


def test_a_socket_that_was_never_connected_is_no_recipient() -> None:
    """The recipients are the users' sockets that were connected once and have not given up."""
    case = AudienceCase()
    case.connect(0, 1, 2)
    assert case.audience.recipients((0, 1)) == {0, 1, 2}
    case.audience.disconnected(2, 3001, cut=False)
    assert case.audience.recipients((0, 1)) == {0, 1, 2}
    case.audience.given_up(2)
    assert case.audience.recipients((0, 1)) == {0, 1}
    case.connect(3)
    assert case.audience.recipients((1,)) == {1, 3}
    assert case.audience.waiting == 0


def test_only_closes_by_the_service_are_counted() -> None:
    """A close by the service counts with its code; a cut by the test and the close at the end do not."""
    case = AudienceCase()
    case.connect(0, 1, 2, 3)
    case.audience.disconnected(0, 3001, cut=False)
    case.audience.disconnected(1, 1006, cut=True)
    assert (case.audience.connected_now, case.audience.disconnected_now) == (2, 2)
    case.connect(1, again=True, feed=True, notifications=False)
    case.audience.close()
    case.audience.disconnected(2, 1000, cut=False)
    case.audience.given_up(2)
    assert case.measures.closes == {3001: 1}
    assert case.counts("connected", "reconnected", "recovered", "unrecovered", "gave up") == [4, 1, 1, 1, 0]


def test_sockets_that_are_disconnected_at_the_end_are_missing() -> None:
    """Of three connected sockets one is disconnected and one has given up: two are missing, the fourth is not."""
    case = AudienceCase()
    case.connect(0, 1, 2)
    for number in (0, 1):
        case.audience.disconnected(number, 1006, cut=False)
    case.audience.given_up(1)
    case.audience.close()
    assert case.counts("missing", "gave up") == [2, 1]


def test_a_repeat_is_counted_once() -> None:
    """A publication with the same offset is a repeat, not a second delivery; one with a lower offset is received."""
    case = AudienceCase()
    case.connect(0)
    act = case.audience.ledger.begin("photo", "k", "feed", frozenset({0}), 0.0, lambda _: None)
    case.audience.received(0, ReceivedPublication("feed", 5, "k"), Order.BACKWARDS, 0.01)
    case.audience.received(0, ReceivedPublication("feed", 5, "k"), Order.REPEATED, 0.02)
    assert not act.awaiting
    names = ("publications", "delivered photo", "disorder", "repeated", "duplicate photo")
    assert case.counts(*names) == [2, 1, 1, 1, 0]


def test_failures_with_the_same_cause_count_together() -> None:
    """Errors with the same text have one count."""
    case = AudienceCase()
    for number in range(3):
        case.audience.failed(number, "connection refused")
    assert case.measures.errors == {"connection refused": 3}
    assert case.audience.last_failure == "connection refused"
