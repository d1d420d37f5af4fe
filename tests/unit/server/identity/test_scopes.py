"""What scopes permit."""

from __future__ import annotations

import pytest

from server.api.endpoint_scopes import SCOPES
from server.identity.scopes import ANY, DESCRIPTIONS, MODERATION, is_within, permitted


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ("read", "read:photos", "write:photos"),
        ("write", "write:lists", "read:lists"),
        ("follow", "write:blocks", "write:lists"),
        ("write:photos", "write:media", "write:comments"),
        ("read:statuses", "read:comments", "read:likes"),
        ("write:statuses", "write:photos", "write:likes"),
        ("write:favourites", "write:likes", "write:photos"),
        ("read:bookmarks", "read:collections", "write:collections"),
        ("profile", "profile", "read:accounts"),
        ("read:accounts", "profile", "read:photos"),
    ],
)
def test_what_a_scope_contains(scope: str, inside: str, outside: str) -> None:
    """It contains itself and finer ones, and no other."""
    assert {scope, inside} <= permitted([scope])
    assert outside not in permitted([scope])


def test_no_wide_scope_contains_moderation() -> None:
    """It is given by its own name alone."""
    assert MODERATION not in permitted(set(DESCRIPTIONS) - {MODERATION})


def test_scopes_within_others() -> None:
    """An application gets no more than it is registered for."""
    assert is_within(["read:photos", "push"], ["read", "push"])
    assert not is_within(["read", "write:likes"], ["read"])
    assert not is_within(["read"], ["read:photos"])


def test_names_of_mastodon_are_permitted_by_what_they_contain() -> None:
    """Statuses are photos and comments, so one of the two does not permit them."""
    assert "read:statuses" in permitted(["read:photos", "read:comments"])
    assert "write:favourites" in permitted(["write:likes"])
    for scope in ("read:photos", "read:comments", "write:photos", "write:comments", "write:media"):
        assert permitted([scope]).isdisjoint({"read:statuses", "write:statuses"})
    assert is_within(["read:statuses", "read:filters", "write:favourites"], ["read", "write"])


def test_every_scope_of_an_endpoint_can_be_asked_for() -> None:
    """Each is described to users, and something contains it."""
    assert set(SCOPES.values()) - {ANY} <= set(DESCRIPTIONS)
