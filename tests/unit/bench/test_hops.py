"""The steps of a like, from the marks of a traced service."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.hops import Marks, durations

STEPS = (("claimed", "claim"), ("read", "look"), ("received", "delivery"))


def test_each_step_ends_with_the_first_mark_after_the_step_before() -> None:
    """Marks of earlier events, and later ones of the same name, are left out; the steps add up to the whole."""
    marks = [("read", 0.5), ("claimed", 0.9), ("claimed", 2.0), ("claimed", 2.5), ("read", 4.0), ("read", 4.5)]
    steps = durations(STEPS, marks, start=1.0, end=7.0)
    assert steps == [1000.0, 2000.0, 3000.0]


def test_a_step_without_its_mark_is_an_error() -> None:
    """A renamed function must not count as a step without time."""
    with pytest.raises(ValueError, match="'read' at the end of: look"):
        durations(STEPS, [("claimed", 2.0), ("read", 1.5)], start=1.0, end=7.0)


def test_marks_are_taken_once_and_whole(tmp_path: Path) -> None:
    """A line that is still being written is left for the next time."""
    file = tmp_path / "marks"
    file.write_text("claimed\t1.5\nread\t2")
    marks = Marks(file)
    assert marks.take() == [("claimed", 1.5)]
    with file.open("a") as more:
        more.write(".25\n")
    assert marks.take() == [("read", 2.25)]
    assert marks.take() == []
