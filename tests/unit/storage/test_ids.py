"""Identifiers: order, shard, text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import ids

identifiers = st.integers(min_value=0, max_value=ids.MAX_ID)


@given(identifiers)
def test_text_comes_back(identifier: int) -> None:
    """An id is equal after encoding and decoding in either case."""
    text = ids.encode(identifier)
    assert len(text) == ids.TEXT_LENGTH
    assert ids.decode(text) == ids.decode(text.lower()) == identifier


@given(identifiers, identifiers)
def test_text_order_is_time_order(one: int, other: int) -> None:
    """Texts sort like their ids."""
    assert (one < other) == (ids.encode(one) < ids.encode(other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 12,
        "0" * 14,
        "Z" * 13,
        "8" + "0" * 12,
        "000000000000U",
        "00000000000-1",
        "é" * 13,
        "000000000000ſ",
        "000000000000ß",
    ],
)
def test_foreign_text(text: str) -> None:
    """A text of another length, alphabet or size is not an id."""
    with pytest.raises(ids.BadIdError):
        ids.decode(text)


@given(st.text(max_size=14))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    """Every text is an id or a `BadIdError`."""
    try:
        assert 0 <= ids.decode(text) <= ids.MAX_ID
    except ids.BadIdError:
        return


@pytest.mark.parametrize("step", [0.0, 0.0001, 0.5, -5.0])
def test_ids_grow(step: float) -> None:
    """The ids of a generator increase within a millisecond, past the sequence's end, and when the clock is set back."""
    now = ids.EPOCH_MS / 1000 + 1_000_000

    def clock() -> float:
        nonlocal now
        now += step
        return now

    maker = ids.IdGenerator(clock)
    made = [maker.new(index % ids.SHARDS) for index in range(10_000)]
    assert all(one < other for one, other in itertools.pairwise(made))


def test_id_carries_moment_and_shard() -> None:
    """An id contains its shard and the millisecond in which it was generated."""
    maker = ids.IdGenerator(lambda: 1_780_000_000.123)
    made = maker.new(777)
    assert ids.shard_of(made) == 777
    assert ids.milliseconds_of(made) == 1_780_000_000_123


def test_shards_are_drawn_from_all() -> None:
    """The shards of new accounts cover the whole range."""
    drawn = {ids.draw_shard() for _ in range(2000)}
    assert min(drawn) >= 0
    assert max(drawn) < ids.SHARDS
    assert {shard // 64 for shard in drawn} == set(range(16))


@pytest.mark.parametrize(("shard", "group"), [(0, 0), (63, 0), (64, 1), (1023, 15)])
def test_slot_group(shard: int, group: int) -> None:
    """A slot group is a run of 64 shards."""
    assert ids.slot_group(5 << 22 | shard) == group


@given(st.integers(min_value=0, max_value=ids.SHARDS - 1))
def test_the_text_of_a_shard_comes_back(shard: int) -> None:
    """A shard has two characters, from which it is read again."""
    assert len(ids.encode_shard(shard)) == ids.SHARD_LENGTH
    assert ids.decode_shard(ids.encode_shard(shard)) == shard


@pytest.mark.parametrize("text", ["", "0", "000", "0U", "-1", "0a", "é0"])
def test_foreign_text_of_a_shard(text: str) -> None:
    """A text of another length or alphabet is not a shard; nor is one in lower case, so that a token has one form."""
    with pytest.raises(ids.BadIdError):
        ids.decode_shard(text)
