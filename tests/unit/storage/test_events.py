"""The encoding of events."""

from __future__ import annotations

import dataclasses

import msgpack
import pytest

from storage import events
from storage.events import BadEventError, Event, LikeAdded, PasswordResetRequested
from storage.ids import SHARDS

KINDS = Event.__subclasses__()


def _sample(kind: type[Event]) -> Event:
    values = {field.name: index + (1 << 62) for index, field in enumerate(dataclasses.fields(kind))}
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    made = {name: {"bool": True, "str": "a"}.get(str(types[name]), value) for name, value in values.items()}
    return kind(**made)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.topic)
def test_body_comes_back(kind: type[Event]) -> None:
    """Every event is equal after encoding and decoding, including 63-bit ids."""
    event = _sample(kind)
    assert events.decode(event.topic, events.encode(event)) == event
    if kind is not PasswordResetRequested:
        assert event.key == str(getattr(event, dataclasses.fields(kind)[0].name))


def test_the_key_of_an_address_is_not_the_address() -> None:
    """The request for a new password is grouped by a digest, the same in any case: the log has the key."""
    one, other = PasswordResetRequested(address="Ann@example.org"), PasswordResetRequested(address="ann@example.org")
    assert one.key == other.key
    assert "ann" not in one.key.lower()
    assert one.shard == other.shard < SHARDS


def test_topics_are_distinct() -> None:
    """No two events share a topic."""
    assert len(events.TOPICS) == len(set(events.TOPICS)) == len(KINDS)


def test_unknown_fields_are_ignored() -> None:
    """An older reader ignores a field that a newer writer has added."""
    body = msgpack.packb({"v": 2, "photo_id": 1, "owner_id": 2, "user_id": 3, "mood": "new"})
    assert events.decode("like.added", body) == LikeAdded(photo_id=1, owner_id=2, user_id=3)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"x", msgpack.packb([1]), msgpack.packb({"photo_id": 1}), b"\x81"])
def test_bad_body(body: bytes) -> None:
    """A body that is not the map of its topic is a `BadEventError`."""
    with pytest.raises(BadEventError):
        events.decode("like.added", body)


def test_unknown_topic() -> None:
    """An unknown topic is a `BadEventError`."""
    with pytest.raises(BadEventError, match="nope"):
        events.decode("nope", b"\x80")
