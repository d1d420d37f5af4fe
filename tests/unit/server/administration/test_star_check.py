"""What the doctor says about stars."""

from __future__ import annotations

import pytest

from server.administration import star_check
from server.administration.star_check import judge
from storage.ids import EPOCH_MS, SEQUENCE_BITS, SHARD_BITS, encode
from storage.models import StarState
from storage.stores.social.stars import ListedStar
from workers.jobs.feeds.stars import STUCK_AFTER

BEGAN = 1_000_000.0  # seconds after the epoch of ids
NOW = EPOCH_MS / 1000 + BEGAN


def star(number: int, state: StarState = StarState.STAR) -> ListedStar:
    """Return a star whose last change began at `BEGAN`."""
    return ListedStar(
        author_id=number,
        username=f"ann{number}",
        deleted=False,
        followers=9,
        state=state,
        change_id=int(BEGAN * 1000) << (SEQUENCE_BITS + SHARD_BITS),
    )


@pytest.mark.parametrize(("number", "detail"), [(0, "0 stars"), (1, "1 star"), (3, "3 stars")])
def test_stars_whose_logs_are_there(number: int, detail: str) -> None:
    """They are counted, and nothing is to be done."""
    known = set(range(number))
    found = judge([star(each) for each in range(number)], complete=known, logged=known, now=NOW)
    assert (found.detail, found.ok, found.warning) == (detail, True, "")


@pytest.mark.parametrize("state", [StarState.PROMOTING, StarState.DEMOTING])
def test_a_change_that_has_stopped(state: StarState) -> None:
    """One that takes too long is a problem, and the remedy names the commands; until then it is only counted."""
    listed = [star(1, state), star(2)]
    found = judge(listed, complete={2}, logged={2}, now=NOW + STUCK_AFTER - 1)
    assert (found.detail, found.ok, found.warning) == ("2 stars, of which 1 are being promoted or demoted", True, "")
    found = judge(listed, complete={2}, logged={2}, now=NOW + STUCK_AFTER + 1)
    assert found.detail.endswith("; under way for more than 15 minutes: ann1")
    assert "picshare stars check" in found.remedy
    assert "deadletters list --queue bulk" in found.remedy


def test_lost_logs() -> None:
    """Stars without all of their logs are named, up to five; feeds repair that themselves, so it is a warning."""
    found = judge([star(each) for each in range(8)], complete={1}, logged=set(range(8)), now=NOW)
    assert found.ok
    assert "logs of ann0, ann2, ann3, ann4, ann5 and 2 more" in found.warning


def test_logs_of_former_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of accounts that are no stars are named by their ids; not if there are more stars than were listed."""
    listed = [star(1), star(2, StarState.DEMOTING)]
    found = judge(listed, complete={1}, logged={1, 2, 77}, now=NOW)
    assert found.ok
    assert f"`picshare stars check` for {encode(77)}" in found.warning
    monkeypatch.setattr(star_check, "MAX_STARS", 2)
    assert judge(listed, complete={1}, logged={1, 2, 77}, now=NOW).warning == ""
