"""All sockets of one process: who is there, who hears of what, and what is counted."""

from __future__ import annotations

from loadtest.client.frames import Publication
from loadtest.client.protocol import Connected, Order
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Crowd


class Scene:
    """Two people with two sockets each: 0 and 2, 1 and 3."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.crowd = Crowd(self.measures, [0, 1, 0, 1], patience=10.0)

    def connect(self, *numbers: int, again: bool = False, **recovered: bool) -> None:
        """Let sockets be connected."""
        for number in numbers:
            result = Connected(ping=25, ttl=900, recovered=recovered, missed=())
            self.crowd.connected(number, result, 0.01, again=again)

    def counts(self, *names: str) -> list[int]:
        """Return some counts."""
        return [self.measures.counts[name] for name in names]


def test_who_was_never_connected_is_owed_nothing() -> None:
    """An audience is the sockets of its people that were connected once and may come back."""
    scene = Scene()
    scene.connect(0, 1, 2)
    assert scene.crowd.audience((0, 1)) == {0, 1, 2}
    scene.crowd.away(2, 3001, cut=False)
    assert scene.crowd.audience((0, 1)) == {0, 1, 2}
    scene.crowd.gone(2)
    assert scene.crowd.audience((0, 1)) == {0, 1}
    scene.connect(3)
    assert scene.crowd.audience((1,)) == {1, 3}
    assert scene.crowd.waiting == 0


def test_ends_are_counted_by_whose_doing_they_were() -> None:
    """A close by the service counts with its code, a cut of the test's own and the farewell at the end do not."""
    scene = Scene()
    scene.connect(0, 1, 2, 3)
    scene.crowd.away(0, 3001, cut=False)
    scene.crowd.away(1, 1006, cut=True)
    assert (scene.crowd.connected_now, scene.crowd.away_now) == (2, 2)
    scene.connect(1, again=True, feed=True, notifications=False)
    scene.crowd.close()
    scene.crowd.away(2, 1000, cut=False)
    scene.crowd.gone(2)
    assert scene.measures.closes == {3001: 1}
    assert scene.counts("connected", "reconnected", "recovered", "unrecovered", "gave up") == [4, 1, 1, 1, 0]


def test_who_is_not_there_at_the_end_is_missed() -> None:
    """Of three that were connected, one is away and one was sent away: two are missing, the fourth never was there."""
    scene = Scene()
    scene.connect(0, 1, 2)
    for number in (0, 1):
        scene.crowd.away(number, 1006, cut=False)
    scene.crowd.gone(1)
    scene.crowd.close()
    assert scene.counts("missing", "gave up") == [2, 1]


def test_a_repeat_is_counted_once() -> None:
    """A publication at the same offset is a repeat and no second delivery; one that runs backwards is heard, too."""
    scene = Scene()
    scene.connect(0)
    act = scene.crowd.ledger.begin("photo", "k", "feed", frozenset({0}), 0.0, lambda _: None)
    scene.crowd.heard(0, Publication("feed", 5, "k"), Order.BACKWARDS, 0.01)
    scene.crowd.heard(0, Publication("feed", 5, "k"), Order.REPEATED, 0.02)
    assert not act.awaiting
    names = ("publications", "delivered photo", "disorder", "repeated", "duplicate photo")
    assert scene.counts(*names) == [2, 1, 1, 1, 0]


def test_failures_count_together() -> None:
    """The same words for the same cause."""
    scene = Scene()
    for number in range(3):
        scene.crowd.failed(number, "connection refused")
    assert scene.measures.errors == {"connection refused": 3}
    assert scene.crowd.last_failure == "connection refused"
