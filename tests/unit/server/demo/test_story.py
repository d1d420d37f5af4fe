"""The story of the demonstration community."""

from __future__ import annotations

from server.demo.story import FOLLOWS, PHOTOS, USERS


def test_the_story_is_consistent() -> None:
    """Every name is that of a user, no user follows or likes themselves, and every photo has an alt text."""
    names = {user.username for user in USERS}
    assert set(FOLLOWS) == names
    for follower, followees in FOLLOWS.items():
        assert follower not in followees
        assert set(followees) <= names
    for photo in PHOTOS:
        assert {photo.author, *photo.likes, *(name for name, _ in photo.comments)} <= names
        assert photo.author not in photo.likes
        assert photo.alt_text
        assert "(Photo: " in photo.caption
