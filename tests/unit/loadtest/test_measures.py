"""Measurements and the timeline: taken, added up, and of bounded size."""

from __future__ import annotations

import asyncio
import time

from loadtest.measures.histogram import Histogram
from loadtest.measures.measures import MAX_ERRORS, Measures
from loadtest.measures.record import Phase, Record
from loadtest.measures.self_monitor import LAG, SelfMonitor
from loadtest.measures.timeline import Timeline
from tests.support.eventually import eventually


def measured(**counts: int) -> Measures:
    """Return measurements with these counts, one close and one duration."""
    measures = Measures()
    for name, number in counts.items():
        measures.count(name, number)
    measures.closed(3001)
    measures.failed("connection refused")
    measures.took("like", 0.010)
    return measures


def test_measurements_of_processes_add_up() -> None:
    """Counts, closes, errors and durations of two processes become those of both, through a pipe."""
    total = measured(acts=2)
    total.merge(Measures.from_wire(measured(acts=3, lost=1).to_wire()))
    assert total.counts == {"acts": 5, "lost": 1}
    assert total.closes == {3001: 2}
    assert total.errors == {"connection refused": 2}
    assert (total.duration("like").number, total.duration("like").total) == (2, 20_000)
    assert total.duration("photo").number == 0


def test_taking_resets() -> None:
    """Taken measurements are not counted again, and the instance keeps counting."""
    measures = measured(acts=2)
    taken = measures.take()
    measures.count("acts")
    assert (taken.counts["acts"], measures.counts["acts"]) == (2, 1)
    assert measures.durations == {}


def test_distinct_errors_are_bounded() -> None:
    """Error texts are separate up to a number, and together beyond it."""
    measures, other = Measures(), Measures()
    for number in range(MAX_ERRORS + 10):
        measures.failed(f"error {number}")
        other.failed(f"another {number}")
    assert len(measures.errors) == MAX_ERRORS + 1
    assert measures.errors["other errors"] == 10
    measures.merge(other)
    assert len(measures.errors) == MAX_ERRORS + 1
    assert measures.errors.total() == 2 * (MAX_ERRORS + 10)


def test_a_timeline_merges_its_slots_when_there_are_too_many() -> None:
    """With at most four slots, they become two seconds wide in the fifth second, and four in the ninth."""
    timeline = Timeline(most=4)
    for second in range(9):
        histogram = Histogram()
        histogram.add(second)
        timeline.add(float(second), {"like": histogram}, cut=1)
        timeline.record_connected(float(second), 100 - second)
    slots = list(timeline.slots())
    assert timeline.width == 4
    assert [second for second, _ in slots] == [0.0, 4.0, 8.0]
    assert [slot.latency["like"].number for _, slot in slots] == [4, 4, 1]
    assert [slot.cut for _, slot in slots] == [4, 4, 1]
    assert [slot.connected for _, slot in slots] == [97, 93, 92]  # the fewest of seconds 0–3, 4–7 and 8


def test_a_record_adds_up_the_reports_of_all_processes() -> None:
    """Sockets and counts are sums; the CPU time of each second counts for its process."""
    record = Record(time.monotonic())
    record.enter(Phase.CONNECT)
    for process, busy in ((0, 0.5), (1, 0.9)):
        record.add_report(
            process,
            {
                "second": 1.0,
                "measures": measured(acts=1).to_wire(),
                "connected": 10,
                "busy": busy,
                "passed": 1.0,
                "done": 3,
                "steps": 4,
                "notice": "waiting" if process else "",
            },
        )
    assert record.connected == 20
    assert record.measures.counts["acts"] == 2
    assert (record.prepared, record.notice) == ((6, 8), "waiting")
    assert [status.busiest for status in record.statuses.values()] == [0.5, 0.9]
    (_, slot), *_ = record.timeline.slots()
    assert slot.latency["like"].number == 2
    assert record.recent().duration("like").number == 2


async def test_the_monitor_records_a_blocked_loop() -> None:
    """A fifth of a second of uninterrupted work shows as delay of the loop and as CPU time."""
    measures = Measures()
    monitor = SelfMonitor(measures)
    task = asyncio.create_task(monitor.run())
    await asyncio.sleep(0)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        sum(range(1000))
    await eventually(lambda: measures.duration(LAG).number)
    task.cancel()
    assert measures.duration(LAG).greatest >= 150_000  # it was due after 50 ms
    usage = monitor.usage()
    assert usage.busy >= 0.2
    assert 0 < usage.share == usage.busy / usage.passed
