"""Events between the released version and this one: each reads what the other has written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from storage import events
from storage.event import Event
from tests.support.documents import ROOT
from tests.support.messages import faults, sample, unpacked

RELEASED: dict[str, Any] = json.loads((ROOT / "tests/data/messages.json").read_text())
KINDS = {kind.topic: kind for kind in Event.__subclasses__()}
TOPICS = sorted(RELEASED["topics"])


@pytest.mark.parametrize("topic", TOPICS)
def test_both_versions_understand_each_other(topic: str) -> None:
    """No field that the released version needs is gone, none has another type, and new ones have a default."""
    assert list(faults(topic, RELEASED["topics"][topic], KINDS.get(topic))) == []


@pytest.mark.parametrize("topic", TOPICS)
def test_this_version_reads_events_of_the_released_one(topic: str) -> None:
    """A body that was written by the released version is an event with the same values."""
    body = RELEASED["topics"][topic]["body"]
    event = events.decode(topic, bytes.fromhex(body))
    values = {name: value for name, value in unpacked(body).items() if hasattr(event, name)}
    assert {name: getattr(event, name) for name in values} == values


@pytest.mark.parametrize("topic", TOPICS)
def test_the_released_version_reads_events_of_this_one(topic: str) -> None:
    """A body of this version has what the released one needs, in a form that it knows."""
    found = unpacked(events.encode(sample(KINDS[topic])).hex())
    released = RELEASED["topics"][topic]
    for name, value in unpacked(released["body"]).items():
        if name in found:
            assert type(found[name]) is type(value), name
    assert set(released["needed"]) <= found.keys()


@dataclass(frozen=True, kw_only=True)
class Changed:
    """An event of the released fields `one` and `two`, of which one was renamed and one has another type."""

    topic: ClassVar[str] = "changed"
    other: int
    two: str
    optional: int = 0


def test_a_change_that_breaks_the_other_version_is_found() -> None:
    """Each way to break it is named: a field is gone, has another type, or is new without a default."""
    released = {"types": {"one": "int", "two": "int"}, "needed": ["one", "two"]}
    assert list(faults("changed", released, Changed)) == [
        "changed: the released version needs the field one",
        "changed: the field two was int and is str",
        "changed: events of the released version lack the new field other; give it a default",
    ]
    assert list(faults("gone", released, None)) == [
        "gone: events of the released version have no reader; keep it until none is left"
    ]
