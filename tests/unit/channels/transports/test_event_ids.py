"""The ids of an event stream: positions, and the key for reconnects."""

from __future__ import annotations

import pytest

from channels.contract.ports import Position
from channels.transports.event_stream import event_id, key_of_event_id, parse_event_id

KEY = "0123456789abcdef" * 2
POSITIONS = {"feed": Position(epoch="e1", offset=5), "notifications": Position(epoch=KEY, offset=7)}


@pytest.mark.parametrize(("key", "expected"), [("", None), (KEY, KEY)])
def test_an_id_encodes_positions_and_a_key(key: str, expected: str | None) -> None:
    """Both are read back, also where an epoch looks like a key."""
    text = event_id(POSITIONS, key)
    assert parse_event_id(text) == POSITIONS
    assert key_of_event_id(text) == expected


def test_a_key_alone_is_an_id_without_positions() -> None:
    """The id before the first event has a key and no positions."""
    assert (parse_event_id(KEY), key_of_event_id(KEY)) == ({}, KEY)


@pytest.mark.parametrize("text", ["", "x", KEY[1:], f"-{KEY}", f"x-{KEY}", f"e1.5-{KEY}", f"e1.5-e1.7-{KEY}-{KEY}"])
def test_other_texts_are_no_ids(text: str) -> None:
    """Anything else is rejected."""
    assert parse_event_id(text) is None
