"""Photos of an order, spread over their authors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.feeds.diversity import AMONG, MOST, spread

AUTHORS = st.lists(st.integers(0, 12), max_size=120)


def spread_authors(authors: Sequence[int]) -> list[int]:
    """Return the authors of the photos 0, 1, 2, …, best first, in the order in which these are spread."""
    return [authors[photo] for photo in spread(enumerate(authors))]


@given(AUTHORS)
def test_every_photo_has_a_place(authors: list[int]) -> None:
    """The photos are the same, each once, whatever their authors; those of one author keep their order."""
    order = spread(enumerate(authors))
    assert sorted(order) == list(range(len(authors)))
    for author in set(authors):
        own = [photo for photo in order if authors[photo] == author]
        assert own == sorted(own)


@given(AUTHORS)
def test_an_author_has_at_most_two_photos_among_ten(authors: list[int]) -> None:
    """A third one has a place among ten only if nothing is left but photos of authors with two."""
    order = spread(enumerate(authors))
    for place, photo in enumerate(order):
        last = Counter(authors[each] for each in order[max(place - AMONG + 1, 0) : place])
        if last[authors[photo]] >= MOST:
            left = {authors[each] for each in order[place:]}
            assert all(last[author] >= MOST for author in left)
            assert last[authors[photo]] == min(last[author] for author in left)


@given(AUTHORS)
def test_each_place_has_the_best_photo_that_may_be_there(authors: list[int]) -> None:
    """A photo stays behind a worse one only if its author has two among the last nine."""
    order = spread(enumerate(authors))
    for place, photo in enumerate(order):
        last = Counter(authors[each] for each in order[max(place - AMONG + 1, 0) : place])
        better = [other for other in order[place:] if other < photo]
        assert all(last[authors[other]] >= MOST for other in better if last[authors[photo]] < MOST)


@given(st.lists(st.integers(0, 12), max_size=60))
def test_an_order_that_keeps_the_rule_stays(authors: list[int]) -> None:
    """Once spread with enough authors, an order is not changed by being spread again."""
    once = spread_authors(authors)
    windows = [once[at : at + AMONG] for at in range(len(once))]
    if all(max(Counter(window).values()) <= MOST for window in windows):
        assert spread(enumerate(once)) == list(range(len(once)))


@pytest.mark.parametrize(
    ("authors", "expected"),
    [
        ("", ""),
        ("AAAA", "AAAA"),  # there is no other author
        ("AAABBBCCC", "AABBCCABC"),
        ("AAABCDEFGHIJ", "AABCDEFGHIAJ"),  # the third one is the eleventh photo
        ("AAAAABBBBB", "AABBABABAB"),  # of those who have had their share, the one with fewer, then the better one
    ],
)
def test_examples(authors: str, expected: str) -> None:
    """Authors of the best photos first, and their order afterwards."""
    assert "".join(map(chr, spread_authors([ord(author) for author in authors]))) == expected
