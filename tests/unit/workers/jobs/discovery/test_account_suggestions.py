"""The order of suggested accounts."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from storage.models import LocationMetadata, PresenceAudience, Role, User
from storage.stores.discovery.account_suggestions import SuggestionReason
from workers.jobs.discovery.account_suggestions import ENOUGH, MAX_OF_REASON, MAX_SUGGESTIONS, ranked

ANN = User(
    id=1,
    username="ann",
    email="ann@example.org",
    display_name="Ann",
    bio="",
    role=Role.USER,
    private=False,
    presence=PresenceAudience.FOLLOWERS,
    location_metadata=LocationMetadata.OFF,
    publish_rights=True,
    avatar_sha256="a" * 64,
    banner_sha256=None,
    settings={},
    followers=0,
    following=0,
    photos=3,
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
)
FOLLOWS_YOU, FRIENDS, TAGS, PICK, KNOWN = SuggestionReason


def accounts(*ids: int, **fields: object) -> dict[int, User]:
    """Return accounts with these ids."""
    return {user_id: dataclasses.replace(ANN, id=user_id, **fields) for user_id in ids}  # type: ignore[arg-type]


def test_the_reasons_go_one_after_the_other() -> None:
    """An account has the first reason that fits; those that may not be suggested are left out."""
    candidates = {
        FOLLOWS_YOU: {2: 1},
        FRIENDS: {2: 9, 3: 1, 9: 5},
        TAGS: {4: 1, 5: 3},
        PICK: {6: 1},
        KNOWN: {7: 1, 3: 1},
    }
    found = ranked(candidates, accounts(2, 3, 4, 5, 6, 7))
    assert [(one.user_id, one.reason) for one in found] == [
        (2, FOLLOWS_YOU),
        (3, FRIENDS),
        (5, TAGS),
        (4, TAGS),
        (6, PICK),
        (7, KNOWN),
    ]


def test_friends_of_friends_are_divided_by_their_fame() -> None:
    """An account with a million followers needs more friends than one with ten."""
    users = accounts(2, followers=1_000_000) | accounts(3, followers=10) | accounts(4, followers=10)
    found = ranked({FRIENDS: {2: 4, 3: 2, 4: 1}}, users)
    assert [(one.user_id, one.number) for one in found] == [(3, 2), (4, 1), (2, 4)]


@pytest.mark.parametrize(("good", "shown"), [(ENOUGH, ENOUGH), (ENOUGH - 1, ENOUGH + 1)])
def test_accounts_without_a_picture_are_shown_where_others_are_few(good: int, shown: int) -> None:
    """First come accounts with a picture and three photos, then those with photos, and empty ones at last."""
    users = accounts(*range(100, 100 + good)) | accounts(1, avatar_sha256=None) | accounts(2, photos=2)
    users |= accounts(3, photos=0)
    found = ranked({KNOWN: dict.fromkeys((3, 2, 1, *range(100, 100 + good)), 1)}, users)
    assert [one.user_id for one in found][:good] == list(range(100, 100 + good))
    assert [one.user_id for one in found][good:] == [2, 1, 3][: shown - good]


def test_no_reason_fills_the_list() -> None:
    """There are at most 20 of each, and 50 in all."""
    everyone = dict.fromkeys(range(1, 100), 1)
    found = ranked({FOLLOWS_YOU: everyone, TAGS: everyone, PICK: everyone}, accounts(*everyone))
    assert [one.reason for one in found] == [FOLLOWS_YOU] * MAX_OF_REASON + [TAGS] * MAX_OF_REASON + [PICK] * 10
    assert len(found) == MAX_SUGGESTIONS
