"""Measures and the timeline: taken, added up, and of bounded size."""

from __future__ import annotations

import asyncio
import time

from loadtest.measures.histogram import Histogram
from loadtest.measures.measures import MOST_SENTENCES, Measures
from loadtest.measures.record import Phase, Record
from loadtest.measures.self_monitor import LAG, Watch
from loadtest.measures.timeline import Timeline
from tests.support.eventually import eventually


def measured(**counts: int) -> Measures:
    """Return measures with these counts, one close and one duration."""
    measures = Measures()
    for name, number in counts.items():
        measures.count(name, number)
    measures.closed(3001)
    measures.failed("connection refused")
    measures.took("like", 0.010)
    return measures


def test_processes_add_up() -> None:
    """Counts, closes, errors and durations of two processes become those of both, through a pipe."""
    total = measured(acts=2)
    total.merge(Measures.from_wire(measured(acts=3, lost=1).to_wire()))
    assert total.counts == {"acts": 5, "lost": 1}
    assert total.closes == {3001: 2}
    assert total.errors == {"connection refused": 2}
    assert (total.duration("like").number, total.duration("like").total) == (2, 20_000)
    assert total.duration("photo").number == 0


def test_taking_begins_anew() -> None:
    """What was taken is not counted again, and who holds the measures goes on counting in them."""
    measures = measured(acts=2)
    taken = measures.take()
    measures.count("acts")
    assert (taken.counts["acts"], measures.counts["acts"]) == (2, 1)
    assert measures.durations == {}


def test_distinct_errors_are_bounded() -> None:
    """Errors that all differ are kept apart up to a number, and together beyond it."""
    measures, other = Measures(), Measures()
    for number in range(MOST_SENTENCES + 10):
        measures.failed(f"error {number}")
        other.failed(f"another {number}")
    assert len(measures.errors) == MOST_SENTENCES + 1
    assert measures.errors["other errors"] == 10
    measures.merge(other)
    assert len(measures.errors) == MOST_SENTENCES + 1
    assert measures.errors.total() == 2 * (MOST_SENTENCES + 10)


def test_a_timeline_joins_its_slots_when_there_are_too_many() -> None:
    """Four slots at most: in the fifth second all become two seconds wide, in the ninth four."""
    timeline = Timeline(most=4)
    for second in range(9):
        histogram = Histogram()
        histogram.add(second)
        timeline.add(float(second), {"like": histogram}, cut=1)
        timeline.look(float(second), 100 - second)
    slots = list(timeline.slots())
    assert timeline.width == 4
    assert [second for second, _ in slots] == [0.0, 4.0, 8.0]
    assert [slot.latency["like"].number for _, slot in slots] == [4, 4, 1]
    assert [slot.cut for _, slot in slots] == [4, 4, 1]
    assert [slot.connected for _, slot in slots] == [97, 93, 92]  # the fewest of seconds 0–3, 4–7 and 8


def test_a_record_adds_the_beats_of_all_processes() -> None:
    """Two processes' beats: sockets and counts are sums, and each second's processor time counts for its process."""
    record = Record(time.monotonic())
    record.enter(Phase.CONNECT)
    for process, busy in ((0, 0.5), (1, 0.9)):
        record.beat(
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
    assert [pulse.busiest for pulse in record.pulses.values()] == [0.5, 0.9]
    (_, slot), *_ = record.timeline.slots()
    assert slot.latency["like"].number == 2
    assert record.recent().duration("like").number == 2


async def test_the_watch_sees_a_loop_that_is_held_up() -> None:
    """A fifth of a second of work without a break shows as lateness of the loop and as processor time."""
    measures = Measures()
    watch = Watch(measures)
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        sum(range(1000))
    await eventually(lambda: measures.duration(LAG).number)
    task.cancel()
    assert measures.duration(LAG).greatest >= 150_000  # it was due after 50 ms
    usage = watch.usage()
    assert usage.busy >= 0.2
    assert 0 < usage.share == usage.busy / usage.passed
