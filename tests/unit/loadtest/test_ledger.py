"""The ledger: every delivery owed ends in exactly one way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measures.measures import Measures
from loadtest.traffic.ledger import Act, Ledger, RequestOutcome

PATIENCE = 10.0
ENDS = ("delivered", "lost", "told gaps", "unjudged", "unfinished")


class LedgerCase:
    """A ledger with `sockets` that have been connected since second 0, and its counts."""

    def __init__(self, sockets: int = 3) -> None:
        self.measures = Measures()
        self.up_since: list[float | None] = [0.0] * sockets
        self.ledger = Ledger(self.measures, self.up_since, patience=PATIENCE)
        self.settled: list[Act] = []

    def act(
        self, *recipients: int, key: str = "k", at: float = 100.0, outcome: RequestOutcome = RequestOutcome.DONE
    ) -> Act:
        """Begin an act, and record its response at once unless `outcome` is OPEN."""
        act = self.ledger.begin("like", key, "notifications", frozenset(recipients), at, self.settled.append)
        if outcome is not RequestOutcome.OPEN:
            self.ledger.answered(act, outcome, at)
        return act

    def counts(self) -> dict[str, int]:
        """Return the counts that are not zero, without the number of acts."""
        counts = {name.removesuffix(" like"): number for name, number in self.measures.counts.items() if number}
        counts.pop("acts", None)
        return counts


def test_a_delivery_has_a_latency() -> None:
    """It lasts from the moment before the request to the moment of reading, for each receiving socket."""
    case = LedgerCase()
    act = case.act(0, 1)
    case.ledger.received(0, "k", "n1", 100.006)
    case.ledger.received(1, "k", "n1", 100.010)
    assert case.counts() == {"expected": 2, "delivered": 2}
    latency = case.measures.duration("like")
    assert (latency.least, latency.greatest) == pytest.approx((6_000, 10_000), abs=2)
    assert case.settled == [act]
    assert act.entry == "n1"
    assert case.ledger.open == 0


def test_an_act_settles_after_its_response_even_if_all_received_it_before() -> None:
    """The publication may arrive before the response."""
    case = LedgerCase()
    act = case.act(0, outcome=RequestOutcome.OPEN)
    case.ledger.received(0, "k", "", 100.005)
    assert case.settled == []
    case.ledger.answered(act, RequestOutcome.DONE, 100.006)
    assert case.settled == [act]


def test_a_second_delivery_is_a_duplicate() -> None:
    """It also is after the act has settled, until the act is forgotten; unknown publications are ignored."""
    case = LedgerCase()
    case.act(0)
    for _ in range(3):
        case.ledger.received(0, "k", "", 100.005)
    case.ledger.received(2, "k", "", 100.005)  # connected later: it may receive the act, but is not owed a delivery
    case.ledger.received(0, "of somebody else", "", 100.005)
    assert case.counts() == {"expected": 1, "delivered": 1, "duplicate": 2}
    case.ledger.judge(100.006 + PATIENCE)
    case.ledger.received(0, "k", "", 111.0)
    assert case.counts()["duplicate"] == 2


def test_a_missing_delivery_is_lost_after_the_patience() -> None:
    """Received by one socket at 101, it is due for the others until 111; a later delivery is late."""
    case = LedgerCase()
    case.act(0, 1)
    case.ledger.received(0, "k", "", 101.0)
    case.ledger.judge(110.9)
    assert "lost" not in case.counts()
    case.ledger.judge(111.0)
    case.ledger.received(1, "k", "", 112.0)
    case.ledger.received(1, "k", "", 113.0)
    assert case.counts() == {"expected": 2, "delivered": 1, "lost": 1, "late": 1, "duplicate": 1}
    assert len(case.settled) == 1


def test_a_disconnected_socket_is_waited_for() -> None:
    """It may recover: it is judged after it was connected for the patience, and excused after six of them."""
    case = LedgerCase()
    case.act(0, 1, 2)
    case.ledger.received(0, "k", "", 100.0)
    case.up_since[1] = case.up_since[2] = None
    case.ledger.judge(130.0)
    assert case.counts() == {"expected": 3, "delivered": 1}
    case.up_since[1] = 131.0
    case.ledger.judge(140.9)
    assert "lost" not in case.counts()
    case.ledger.judge(141.0)
    assert case.counts()["lost"] == 1
    case.ledger.judge(160.0)  # 100 + 6 × 10
    assert case.counts() == {"expected": 3, "delivered": 1, "lost": 1, "unjudged": 1}


def test_an_announced_gap_is_not_a_loss() -> None:
    """A stream that was not recovered excuses its open deliveries, and none of another stream."""
    case = LedgerCase()
    case.act(0, 1)
    case.ledger.gap(0, "feed", 101.0)
    assert "told gaps" not in case.counts()
    case.ledger.gap(0, "notifications", 101.0)
    case.ledger.received(1, "k", "", 101.0)
    assert case.counts() == {"expected": 2, "delivered": 1, "told gaps": 1}


def test_an_act_without_any_delivery_is_judged_only_when_overdue() -> None:
    """After the patience it is listed as undelivered; once marked overdue, it is lost for every connected socket."""
    case = LedgerCase()
    act = case.act(0, 1)
    assert case.ledger.undelivered(109.9) == []
    assert case.ledger.undelivered(110.0) == [act]
    case.ledger.judge(200.0)
    assert "lost" not in case.counts()
    case.ledger.overdue(act)
    case.ledger.judge(200.0)
    assert case.counts() == {"expected": 2, "lost": 2}


def test_an_unfinished_act_is_not_lost() -> None:
    """An act that the service is still processing at the end counts as unfinished."""
    case = LedgerCase()
    act = case.act(0, 1)
    case.ledger.unfinished(act, 200.0)
    case.ledger.close(200.0)
    assert case.counts() == {"expected": 2, "unfinished": 2}


@pytest.mark.parametrize(
    ("outcome", "name"), [(RequestOutcome.REFUSED, "refused"), (RequestOutcome.UNKNOWN, "unanswered")]
)
def test_a_request_without_effect_owes_nothing(outcome: RequestOutcome, name: str) -> None:
    """A refused or unanswered act owes no deliveries, and a publication of it is no duplicate."""
    case = LedgerCase()
    act = case.act(0, 1, outcome=RequestOutcome.OPEN)
    case.ledger.received(0, "k", "", 100.1)
    case.ledger.answered(act, outcome, 100.2)
    case.ledger.received(0, "k", "", 100.3)
    case.ledger.received(1, "k", "", 100.3)
    case.ledger.close(200.0)
    assert case.counts() == {"expected": 1, "delivered": 1, name: 1}
    assert case.settled == [act]


def test_the_end_judges_sockets_that_were_connected_long_enough() -> None:
    """At 105: socket 0, connected since 0, has lost it; socket 1, since 104, and 2, disconnected, are unjudged."""
    case = LedgerCase()
    case.act(0, 1, 2, at=90.0)
    case.up_since[1:] = [104.0, None]
    case.ledger.close(105.0)
    assert case.counts() == {"expected": 3, "lost": 1, "unjudged": 2}


steps = st.lists(
    st.tuples(st.sampled_from(["received", "gap", "given_up", "disconnected", "back", "judge"]), st.integers(0, 3)),
    max_size=40,
)


@given(steps, st.sampled_from([RequestOutcome.DONE, RequestOutcome.REFUSED, RequestOutcome.UNKNOWN]))
def test_every_delivery_owed_ends_in_exactly_one_way(steps: list[tuple[str, int]], outcome: RequestOutcome) -> None:
    """For any events: delivered + lost + told gaps + unjudged + unfinished = expected, and the act settles once."""
    case = LedgerCase(4)
    act = case.act(0, 1, 2, outcome=RequestOutcome.OPEN)
    now = 100.0
    for number, (what, socket) in enumerate(steps):
        now += 3.0
        if number == 3:
            case.ledger.answered(act, outcome, now)
        match what:
            case "received":
                case.ledger.received(socket, "k", "", now)
            case "gap":
                case.ledger.gap(socket, "notifications", now)
            case "given_up":
                case.ledger.given_up(socket, now)
            case "disconnected":
                case.up_since[socket] = None
            case "back":
                case.up_since[socket] = now
            case _:
                case.ledger.judge(now)
    if len(steps) <= 3:
        case.ledger.answered(act, outcome, now)
    case.ledger.close(now)
    counts = Counter(case.counts())
    assert sum(counts[name] for name in ENDS) == counts["expected"]
    assert case.settled == [act]
    assert case.ledger.open == 0
