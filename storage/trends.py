"""Scores of what trends, as pure functions: the same state always has the same score, whenever it is computed.

So a score may be written any number of times, and rebuilt from PostgreSQL after a loss of Redis. Nothing decays: what
is newer begins higher, and the order of two photos changes only with their likes and comments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from storage.ids import EPOCH_MS, milliseconds_of

# Likes, comments and tags of accounts that were younger than this at that moment do not count.
NEW_ACCOUNT = timedelta(hours=24)
DOUBLING_HOURS = 6  # a photo needs twice as many likes to be ranked like one that is so much newer
MIN_AUTHORS = 5  # of a tag

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoTrend:
    """What the score of a photo depends on, at one `version` of its counters.

    `likes` and `commenters` are those that count (`storage.stores.discovery.photo_trends`), `followers` are the
    author's. A photo that is not `public` has no score.
    """

    photo_id: int
    author_id: int
    version: int
    likes: int
    commenters: int
    followers: int
    public: bool


def photo_score(trend: PhotoTrend) -> float | None:
    """Return the score of a photo, None if it does not trend: not public, or without a like or comment that counts.

    A doubling of the likes weighs as much as `DOUBLING_HOURS`. Authors with many followers need more likes.
    """
    reactions = trend.likes + 2 * trend.commenters
    if not trend.public or reactions == 0:
        return None
    return hotness(trend.photo_id, reactions=reactions, followers=trend.followers)


def hotness(photo_id: int, *, reactions: int, followers: int) -> float:
    """Return the score of any photo: by its reactions, its author's followers and its time."""
    return math.log2(1 + reactions) - math.log2(10 + math.sqrt(followers)) + newness(photo_id)


def newness(photo_id: int) -> float:
    """Return the part of a photo's score that its time gives, in units of `DOUBLING_HOURS`."""
    return (milliseconds_of(photo_id) - EPOCH_MS) / (DOUBLING_HOURS * _MS_PER_HOUR)


def tag_score(authors: int, before: Sequence[int]) -> float:
    """Return how unusual a tag's number of authors is, against those of the same hours of the days `before`.

    0 if there are too few, or no more than usual; otherwise (observed - expected)² ÷ expected, as of a chi-squared
    test. A tag that was not used before counts as expected from one author.
    """
    expected = max(sum(before) / len(before), 1.0)
    if authors < MIN_AUTHORS or authors <= expected:
        return 0.0
    return (authors - expected) ** 2 / expected
