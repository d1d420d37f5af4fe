"""The ledger: every delivery owed ends in exactly one way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.measures.measures import Measures
from loadtest.traffic.ledger import Act, Ledger, Outcome

PATIENCE = 10.0
ENDS = ("delivered", "lost", "told gaps", "unjudged", "unfinished")


class Books:
    """A ledger with `sockets` that have been connected since second 0, and what it counted."""

    def __init__(self, sockets: int = 3) -> None:
        self.measures = Measures()
        self.up_since: list[float | None] = [0.0] * sockets
        self.ledger = Ledger(self.measures, self.up_since, patience=PATIENCE)
        self.settled: list[Act] = []

    def act(self, *audience: int, key: str = "k", at: float = 100.0, outcome: Outcome = Outcome.DONE) -> Act:
        """Write an act down and have it answered at once."""
        act = self.ledger.begin("like", key, "notifications", frozenset(audience), at, self.settled.append)
        if outcome is not Outcome.OPEN:
            self.ledger.answered(act, outcome, at)
        return act

    def counts(self) -> dict[str, int]:
        """Return what is not zero, without the number of acts."""
        counts = {name.removesuffix(" like"): number for name, number in self.measures.counts.items() if number}
        counts.pop("acts", None)
        return counts


def test_a_delivery_is_a_latency() -> None:
    """From the moment before the request to the moment of reading, for each socket of the audience."""
    books = Books()
    act = books.act(0, 1)
    books.ledger.heard(0, "k", "n1", 100.006)
    books.ledger.heard(1, "k", "n1", 100.010)
    assert books.counts() == {"expected": 2, "delivered": 2}
    latency = books.measures.duration("like")
    assert (latency.least, latency.greatest) == pytest.approx((6_000, 10_000), abs=2)
    assert books.settled == [act]
    assert act.entry == "n1"
    assert books.ledger.open == 0


def test_an_act_settles_after_its_answer_even_if_all_heard_before() -> None:
    """The publication may overtake the answer."""
    books = Books()
    act = books.act(0, outcome=Outcome.OPEN)
    books.ledger.heard(0, "k", "", 100.005)
    assert books.settled == []
    books.ledger.answered(act, Outcome.DONE, 100.006)
    assert books.settled == [act]


def test_a_second_delivery_is_a_duplicate() -> None:
    """Also after the act was settled, until it is forgotten; others' publications are nobody's."""
    books = Books()
    books.act(0)
    for _ in range(3):
        books.ledger.heard(0, "k", "", 100.005)
    books.ledger.heard(2, "k", "", 100.005)  # connected later: it may hear, and is not owed
    books.ledger.heard(0, "of somebody else", "", 100.005)
    assert books.counts() == {"expected": 1, "delivered": 1, "duplicate": 2}
    books.ledger.judge(100.006 + PATIENCE)
    books.ledger.heard(0, "k", "", 111.0)
    assert books.counts()["duplicate"] == 2


def test_a_straggler_is_lost_when_the_patience_is_over() -> None:
    """Heard by one at 101, it is due to the others until 111; what comes afterwards is late."""
    books = Books()
    books.act(0, 1)
    books.ledger.heard(0, "k", "", 101.0)
    books.ledger.judge(110.9)
    assert "lost" not in books.counts()
    books.ledger.judge(111.0)
    books.ledger.heard(1, "k", "", 112.0)
    books.ledger.heard(1, "k", "", 113.0)
    assert books.counts() == {"expected": 2, "delivered": 1, "lost": 1, "late": 1, "duplicate": 1}
    assert len(books.settled) == 1


def test_a_socket_that_is_away_is_waited_for() -> None:
    """It may recover: it is judged once it has been back for the patience, and given up after six of them."""
    books = Books()
    books.act(0, 1, 2)
    books.ledger.heard(0, "k", "", 100.0)
    books.up_since[1] = books.up_since[2] = None
    books.ledger.judge(130.0)
    assert books.counts() == {"expected": 3, "delivered": 1}
    books.up_since[1] = 131.0
    books.ledger.judge(140.9)
    assert "lost" not in books.counts()
    books.ledger.judge(141.0)
    assert books.counts()["lost"] == 1
    books.ledger.judge(160.0)  # 100 + 6 × 10
    assert books.counts() == {"expected": 3, "delivered": 1, "lost": 1, "unjudged": 1}


def test_a_gap_that_is_told_is_not_a_loss() -> None:
    """A stream that could not be recovered excuses what was open on it, and nothing of another stream."""
    books = Books()
    books.act(0, 1)
    books.ledger.gap(0, "feed", 101.0)
    assert "told gaps" not in books.counts()
    books.ledger.gap(0, "notifications", 101.0)
    books.ledger.heard(1, "k", "", 101.0)
    assert books.counts() == {"expected": 2, "delivered": 1, "told gaps": 1}


def test_what_nobody_heard_is_looked_at_before_it_is_judged() -> None:
    """After the patience the act is named; called overdue, it is lost to everybody who is there."""
    books = Books()
    act = books.act(0, 1)
    assert books.ledger.unheard(109.9) == []
    assert books.ledger.unheard(110.0) == [act]
    books.ledger.judge(200.0)
    assert "lost" not in books.counts()
    books.ledger.overdue(act)
    books.ledger.judge(200.0)
    assert books.counts() == {"expected": 2, "lost": 2}


def test_what_the_service_still_works_on_is_not_lost() -> None:
    """An act that is not finished at the end is told as such."""
    books = Books()
    act = books.act(0, 1)
    books.ledger.unfinished(act, 200.0)
    books.ledger.close(200.0)
    assert books.counts() == {"expected": 2, "unfinished": 2}


@pytest.mark.parametrize(("outcome", "name"), [(Outcome.NOTHING, "refused"), (Outcome.UNKNOWN, "unanswered")])
def test_what_was_not_done_is_owed_to_nobody(outcome: Outcome, name: str) -> None:
    """A refused or unanswered act expects nothing more, and what comes of it all the same is no duplicate."""
    books = Books()
    act = books.act(0, 1, outcome=Outcome.OPEN)
    books.ledger.heard(0, "k", "", 100.1)
    books.ledger.answered(act, outcome, 100.2)
    books.ledger.heard(0, "k", "", 100.3)
    books.ledger.heard(1, "k", "", 100.3)
    books.ledger.close(200.0)
    assert books.counts() == {"expected": 1, "delivered": 1, name: 1}
    assert books.settled == [act]


def test_the_end_judges_who_was_there_for_long_enough() -> None:
    """At 105: socket 0 since 0 has lost it, socket 1 since 104 and socket 2, away, cannot be judged."""
    books = Books()
    books.act(0, 1, 2, at=90.0)
    books.up_since[1:] = [104.0, None]
    books.ledger.close(105.0)
    assert books.counts() == {"expected": 3, "lost": 1, "unjudged": 2}


steps = st.lists(
    st.tuples(st.sampled_from(["heard", "gap", "gone", "away", "back", "judge"]), st.integers(0, 3)), max_size=40
)


@settings(deadline=None)
@given(steps, st.sampled_from([Outcome.DONE, Outcome.NOTHING, Outcome.UNKNOWN]))
def test_every_delivery_owed_ends_in_exactly_one_way(steps: list[tuple[str, int]], outcome: Outcome) -> None:
    """Whatever happens: delivered + lost + told gaps + unjudged + unfinished = expected, and the act settles once."""
    books = Books(4)
    act = books.act(0, 1, 2, outcome=Outcome.OPEN)
    now = 100.0
    for number, (what, socket) in enumerate(steps):
        now += 3.0
        if number == 3:
            books.ledger.answered(act, outcome, now)
        match what:
            case "heard":
                books.ledger.heard(socket, "k", "", now)
            case "gap":
                books.ledger.gap(socket, "notifications", now)
            case "gone":
                books.ledger.gone(socket, now)
            case "away":
                books.up_since[socket] = None
            case "back":
                books.up_since[socket] = now
            case _:
                books.ledger.judge(now)
    if len(steps) <= 3:
        books.ledger.answered(act, outcome, now)
    books.ledger.close(now)
    counts = Counter(books.counts())
    assert sum(counts[name] for name in ENDS) == counts["expected"]
    assert books.settled == [act]
    assert books.ledger.open == 0
