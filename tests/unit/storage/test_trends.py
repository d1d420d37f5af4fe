"""Scores of photos and tags."""

from __future__ import annotations

import pytest

from storage.ids import IdGenerator
from storage.trends import DOUBLING_HOURS, PhotoTrend, photo_score, tag_score

NOON = 1_795_000_000.0


def photo(*, hours: float = 0.0, likes: int = 0, commenters: int = 0, followers: int = 0, public: bool = True) -> float:
    """Return the score of a photo that is so much newer than noon."""
    score = photo_score(
        PhotoTrend(
            photo_id=IdGenerator(lambda: NOON + hours * 3600).new(7),
            author_id=1,
            version=1,
            likes=likes,
            commenters=commenters,
            followers=followers,
            public=public,
        )
    )
    assert score is not None
    return score


def test_a_doubling_of_the_likes_weighs_six_hours() -> None:
    """1 + 3 likes are twice 1 + 1."""
    assert photo(likes=3) == pytest.approx(photo(likes=1, hours=DOUBLING_HOURS), abs=1e-6)
    assert photo(likes=1, hours=0.1) > photo(likes=1)


def test_a_commenter_weighs_two_likes() -> None:
    """The users are counted, not their comments."""
    assert photo(commenters=3, likes=1) == pytest.approx(photo(likes=7), abs=1e-6)


def test_authors_with_many_followers_need_more_likes() -> None:
    """10 + the root of 900 is four times 10, so 1 + 7 likes are like 1 + 1."""
    assert photo(likes=7, followers=900) == pytest.approx(photo(likes=1), abs=1e-6)


def test_without_a_reaction_or_in_private_nothing_trends() -> None:
    """Such photos have no score."""
    for trend in ({"likes": 0}, {"likes": 9, "public": False}):
        with pytest.raises(AssertionError):
            photo(**trend)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("authors", "before", "score"),
    [
        (4, [0] * 7, 0.0),  # too few
        (5, [0] * 7, 16.0),  # a new tag counts as expected from one
        (20, [10] * 7, 10.0),
        (20, [20] * 7, 0.0),  # as many as usual
        (10, [20] * 7, 0.0),
        (12, [7, 0, 0, 0, 0, 0, 7], 50.0),  # 2 are expected
    ],
)
def test_a_tag_trends_by_what_is_unusual(authors: int, before: list[int], score: float) -> None:
    """The score is (observed - expected)² ÷ expected."""
    assert tag_score(authors, before) == score
