"""When authors are promoted to stars and demoted."""

from __future__ import annotations

import pytest

from storage.ids import EPOCH_MS, SEQUENCE_BITS, SHARD_BITS
from storage.models import StarState
from storage.stores.social.stars import Standing
from workers.jobs.feeds.stars import RESTART_AFTER, due

BEGAN = 1_000_000.0  # seconds after the epoch of ids
CHANGE = int(BEGAN * 1000) << (SEQUENCE_BITS + SHARD_BITS)
NOW = EPOCH_MS / 1000 + BEGAN


@pytest.mark.parametrize(
    ("state", "followers", "expected"),
    [
        (None, 99, None),
        (None, 100, StarState.PROMOTING),
        (StarState.STAR, 81, None),
        (StarState.STAR, 80, StarState.DEMOTING),
        (StarState.PROMOTING, 0, None),
        (StarState.DEMOTING, 1000, None),
    ],
)
def test_the_number_of_followers(state: StarState | None, followers: int, expected: StarState | None) -> None:
    """An author is promoted at the number and demoted at 0.8 of it, and not while a change is under way."""
    standing = Standing(followers=followers, state=state, change_id=CHANGE, since_id=1)
    assert due(standing, followers=100, now=NOW + 1) is expected


@pytest.mark.parametrize("state", [StarState.PROMOTING, StarState.DEMOTING])
def test_a_change_that_stopped_begins_again(state: StarState) -> None:
    """One whose event is a dead letter is repeated after an hour."""
    standing = Standing(followers=90, state=state, change_id=CHANGE, since_id=1)
    assert due(standing, followers=100, now=NOW + RESTART_AFTER - 1) is None
    assert due(standing, followers=100, now=NOW + RESTART_AFTER + 1) is state
    assert due(standing, followers=100, now=NOW + 59, restart_after=60) is None
    assert due(standing, followers=100, now=NOW + 61, restart_after=60) is state


@pytest.mark.parametrize(
    ("state", "photo", "expected"),
    [
        (None, 7, False),
        (StarState.PROMOTING, 7, False),
        (StarState.STAR, 4, False),
        (StarState.STAR, 5, True),
        (StarState.DEMOTING, 7, False),
    ],
)
def test_which_photos_are_announced(state: StarState | None, photo: int, expected: bool) -> None:
    """Those of a star, from the promotion on; a photo from before it that is ready late is inserted."""
    assert Standing(followers=9, state=state, change_id=1, since_id=5).announces(photo) is expected
