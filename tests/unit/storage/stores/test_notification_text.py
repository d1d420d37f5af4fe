"""The text of a notification."""

from __future__ import annotations

import pytest

from storage.notifications import NotificationKind
from storage.stores.notifications.notification_text import excerpt_of, sentence


@pytest.mark.parametrize(
    ("names", "count", "text"),
    [
        (["ann"], 1, "ann liked your photo"),
        (["ann", "ben"], 2, "ann and ben liked your photo"),
        (["ann", "ben", "cat"], 3, "ann and 2 others liked your photo"),
        (["ann", "ben", "cat"], 4, "ann and 3 others liked your photo"),
        # Actors with deleted accounts are counted but have no name.
        (["ann"], 2, "ann and 1 other liked your photo"),
        ([], 1, "Someone liked your photo"),
        ([], 2, "2 people liked your photo"),
    ],
)
def test_likes(names: list[str], count: int, text: str) -> None:
    """One or two actors are named; of more, one is named and the others are counted."""
    assert sentence(NotificationKind.LIKE, names, count) == text


@pytest.mark.parametrize("kind", NotificationKind)
def test_every_kind_has_a_sentence(kind: NotificationKind) -> None:
    """Every kind of notification has a text."""
    assert sentence(kind, ["ann"], 1)


def test_rejection() -> None:
    """Only a rejection includes its reason, if there is one."""
    assert sentence(NotificationKind.PHOTO_REJECTED, [], 0) == "Your photo could not be shown"
    assert sentence(NotificationKind.PHOTO_REJECTED, [], 0, reason="it is empty").endswith("shown: it is empty")
    assert sentence(NotificationKind.LIKE, ["ann"], 1, reason="it is empty") == "ann liked your photo"


def test_a_mention_says_where_it_is() -> None:
    """A mention is in a comment or in a caption; of other kinds the caption says nothing."""
    assert sentence(NotificationKind.MENTION, ["ann"], 1) == "ann mentioned you in a comment"
    assert sentence(NotificationKind.MENTION, ["ann"], 1, in_caption=True) == "ann mentioned you in a caption"
    assert sentence(NotificationKind.LIKE, ["ann"], 1, in_caption=True) == "ann liked your photo"


def test_braces_in_a_name_are_a_name() -> None:
    """A name that looks like a placeholder is inserted unchanged."""
    assert sentence(NotificationKind.FOLLOW, ["{who}"], 1) == "{who} started following you"


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("first\n line ", "first line"),
        ("x" * 140, "x" * 140),
        ("y" * 141, "y" * 139 + "…"),
        ("z" * 138 + " zz", "z" * 138 + "…"),
    ],
)
def test_an_excerpt_is_one_short_line(text: str, excerpt: str) -> None:
    """It has at most 140 characters with the ellipsis, before which no space is left."""
    assert excerpt_of(text) == excerpt
