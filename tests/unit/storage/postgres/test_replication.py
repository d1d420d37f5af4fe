"""The lag of a replica by the primary's reports, and what rules a server out as a replica."""

from __future__ import annotations

import math

import pytest

from storage.postgres.replication import (
    MAX_LAG,
    POSITION_TTL,
    PrimaryHistory,
    PrimaryStatus,
    ReplicaStatus,
    discontinuity,
    mismatch,
)
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition


def primary(flushed: int, *, timeline: int = 1) -> PrimaryStatus:
    """Return a report of a primary."""
    return PrimaryStatus(position=WalPosition(timeline, flushed), flushed=flushed, cluster="c")


def history(*reports: tuple[float, int], window: float = 10.0) -> PrimaryHistory:
    """Return the history of reports: moment and flushed LSN of each."""
    made = PrimaryHistory(window)
    for moment, flushed in reports:
        made.add(primary(flushed), moment)
    return made


@pytest.mark.parametrize(
    ("replayed", "lag"),
    [
        (300, 1.0),  # everything of the last report, which is a second old
        (299, 2.0),
        (200, 2.0),
        (199, 5.0),  # between the reports at 5 and 8
        (100, 5.0),
        (99, math.inf),
    ],
)
def test_the_lag_is_the_age_of_the_last_report_that_was_replayed(replayed: int, lag: float) -> None:
    """What the primary has committed since that report may be missing."""
    assert history((5.0, 100), (8.0, 200), (9.0, 300)).lag(replayed, 10.0) == lag


def test_a_report_without_news_makes_the_replica_fresher() -> None:
    """A primary without writes does not make a replica lag that has replayed everything."""
    made = history((1.0, 100), (2.0, 100), (9.0, 100))
    assert (made.lag(100, 9.5), made.lag(99, 9.5)) == (0.5, math.inf)


def test_a_history_is_as_long_as_its_window() -> None:
    """A replica that lags longer lags infinitely."""
    made = history(*((float(second), second) for second in range(100)), window=3.0)
    assert (made.lag(97, 99.0), made.lag(96, 99.0), made.lag(95, 99.0)) == (2.0, 3.0, math.inf)


@pytest.mark.parametrize(("flushed", "timeline"), [(500, 2), (90, 1)])
def test_another_primary_begins_a_history(flushed: int, timeline: int) -> None:
    """Positions of the old primary prove nothing about the new one, nor about one that was restored."""
    made = history((1.0, 100))
    made.add(primary(flushed, timeline=timeline), 2.0)
    assert made.lag(flushed, 2.0) == 0.0
    made.add(primary(600, timeline=timeline), 3.0)
    assert made.lag(flushed - 1, 3.0) == math.inf


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (ReplicaStatus(True, WalPosition(2, 1), "c", "s", 0.0), None),
        (ReplicaStatus(True, WalPosition(2, 1), "d", "s", 0.0), "another database cluster"),
        (ReplicaStatus(False, WalPosition(2, 1), "c", "s", 0.0), "not a standby"),
        (ReplicaStatus(True, WalPosition(1, 1), "c", "s", 0.0), "timeline 1, the primary on 2"),
        (ReplicaStatus(True, WalPosition(3, 1), "c", "s", 0.0), "timeline 3, the primary on 2"),
    ],
)
def test_only_a_standby_of_the_primary_is_its_replica(status: ReplicaStatus, fault: str | None) -> None:
    """Each other server has its reason."""
    found = mismatch(status, primary(1, timeline=2))
    assert found is None if fault is None else fault in (found or "")


@pytest.mark.parametrize(
    ("lsn", "server", "fault"),
    [(10, "s", None), (11, "s", None), (9, "s", "has gone back"), (11, "t", "another server")],
)
def test_a_report_continues_the_one_before(lsn: int, server: str, fault: str | None) -> None:
    """One from the past, or of another server, proves nothing about the connections that are open."""
    before = ReplicaStatus(True, WalPosition(1, 10), "c", "s", 0.0)
    found = discontinuity(before, ReplicaStatus(True, WalPosition(1, lsn), "c", server, 1.0))
    assert found is None if fault is None else fault in (found or "")


@pytest.mark.parametrize(
    ("replayed", "wanted", "covered"),
    [
        ((1, 10), (1, 10), True),
        ((1, 9), (1, 10), False),
        ((2, 10), (1, 10), True),
        ((2, 9), (1, 10), False),  # knows of the new timeline, and has not replayed up to the fork
        ((1, 11), (2, 10), False),  # has more of the old timeline than the new primary
    ],
)
def test_a_position_covers_another(replayed: tuple[int, int], wanted: tuple[int, int], covered: bool) -> None:
    """Both the timeline and the LSN have to be reached."""
    assert WalPosition(*replayed).covers(WalPosition(*wanted)) is covered


def test_every_position_covers_the_start_and_none_the_unreachable() -> None:
    """They stand for a user without writes, and for one whose writes are unknown."""
    position = WalPosition(1, 1)
    assert position.covers(START)
    assert not position.covers(UNREACHABLE)


def test_a_position_is_kept_for_longer_than_any_replica_may_lag() -> None:
    """When it is forgotten, each replica in use has the write."""
    assert POSITION_TTL > MAX_LAG + 5
