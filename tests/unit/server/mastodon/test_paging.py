"""Pages by ids, and the header `Link`."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from server.mastodon.ids import comment_status
from server.mastodon.paging import Page, PageQuery, link_header, lowest_above, read_page
from storage.ids import MAX_ID


class _List:
    """A list of positions that is read downwards, as the stores read theirs; counts the reads."""

    def __init__(self, positions: Sequence[int]) -> None:
        self._positions = sorted(positions, reverse=True)
        self.reads = 0

    async def read(self, before: int | None, limit: int) -> list[int]:
        self.reads += 1
        return [each for each in self._positions if before is None or each < before][:limit]


def _itself(position: int) -> int:
    return position


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (PageQuery(limit=3), [10, 9, 8]),
        (PageQuery(max_id=8, limit=3), [7, 6, 5]),
        (PageQuery(since_id=8, limit=5), [10, 9]),
        (PageQuery(since_id=2, limit=3), [10, 9, 8]),
        (PageQuery(min_id=2, limit=3), [5, 4, 3]),
        (PageQuery(min_id=8, limit=3), [10, 9]),
        (PageQuery(min_id=10, limit=3), []),
        (PageQuery(min_id=0, limit=3), [3, 2, 1]),
        (PageQuery(min_id=2, max_id=5, limit=40), [4, 3]),
        (PageQuery(max_id=1), []),
    ],
)
async def test_a_page_is_where_its_query_says(query: PageQuery, expected: list[int]) -> None:
    """`since_id` ends a page that begins at the top; `min_id` begins one at the other end."""
    page = await read_page(query, _List(range(1, 11)).read, _itself)
    assert list(page.items) == expected


async def test_the_lowest_of_a_long_list_are_found_in_few_reads() -> None:
    """However long the list and wherever the floor is, the page is exact, and the reads are some dozens."""
    generator = random.Random(7)
    positions = sorted({generator.randrange(MAX_ID) for _ in range(3000)})
    for floor in [0, positions[0], positions[1500], positions[-2], *generator.sample(positions, 20)]:
        kept = _List(positions)
        found = await lowest_above(floor, kept.read, _itself, limit=20)
        expected = [each for each in positions if each > floor][:20]
        assert list(found) == expected[::-1]
        assert kept.reads < 100


async def test_paging_both_ways_returns_everything_once() -> None:
    """Following `next` from the top and `prev` from the bottom visits each entry once, in order."""
    whole = list(range(1, 48))
    down: list[int] = []
    query = PageQuery(limit=10)
    while (page := await read_page(query, _List(whole).read, _itself)).items:
        down += page.items
        query = PageQuery(max_id=page.last, limit=10)
    up: list[int] = []
    query = PageQuery(min_id=0, limit=10)
    while (page := await read_page(query, _List(whole).read, _itself)).items:
        up = [*page.items, *up]
        query = PageQuery(min_id=page.first, limit=10)
    assert down == up == whole[::-1]


def test_the_link_keeps_other_parameters_alone() -> None:
    """The positions of the request are replaced, and everything else stays."""
    header = link_header(
        "https://p.example/api/v1/timelines/home", "limit=5&max_id=9&types[]=a&types[]=b", Page([8, 4], 8, 4)
    )
    assert header == (
        "<https://p.example/api/v1/timelines/home?limit=5&types%5B%5D=a&types%5B%5D=b&max_id=4>; "
        'rel="next", '
        "<https://p.example/api/v1/timelines/home?limit=5&types%5B%5D=a&types%5B%5D=b&min_id=8>; "
        'rel="prev"'
    )


def test_an_empty_page_has_no_link() -> None:
    """So a client that follows links comes to an end."""
    assert link_header("https://p.example/x", "", Page([], None, None)) is None


@pytest.mark.parametrize(("asked", "size"), [("1", 1), ("40", 40), ("500", 40), ("0", 1)])
def test_a_limit_beyond_the_most_is_the_most(asked: str, size: int) -> None:
    """Apps ask for more than there may be, and expect the most."""
    assert PageQuery.model_validate({"limit": asked}).size() == size


@pytest.mark.parametrize("value", ["x", "-1", "", "9" * 30])
def test_a_position_that_is_no_id_is_refused(value: str) -> None:
    """An error that names the parameter, instead of a page that begins anywhere."""
    with pytest.raises(ValidationError, match="max_id"):
        PageQuery.model_validate({"max_id": value})


def test_a_comment_is_a_position_as_well() -> None:
    """An app may page from the last status that it has, whatever that is."""
    assert PageQuery.model_validate({"max_id": comment_status(12)}).max_id == 12
