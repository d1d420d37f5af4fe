"""Pages by ids: `max_id`, `since_id`, `min_id` and `limit`, and the header `Link` with the pages next to one.

The stores read lists downwards, below an id. That is a page with `max_id`; one with `since_id` ends there. A page with
`min_id` begins just above it, at the other end of what may be a long list, so it is searched for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from pydantic import BeforeValidator, ConfigDict

from server.edge.requests import QueryModel
from server.mastodon.ids import parse_status
from storage.errors import NotFoundError

T = TypeVar("T")
Key = Callable[[T], int]
Read = Callable[[int | None, int], Awaitable[Sequence[T]]]
"""Takes the id below which to read, and a number; returns as many items by descending id, or all that there are."""

STATUSES = 40  # at most in a page
ACCOUNTS = 80
DEFAULT = 20
_POSITIONS = ("max_id", "since_id", "min_id")


def _position(value: Any) -> int:
    try:
        return parse_status(str(value)).id
    except NotFoundError as error:
        raise ValueError("Use the id of an entry of this list.") from error


def _limit(value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("Use a whole number.")
    return int(text)


Position = Annotated[int, BeforeValidator(_position)]


class PageQuery(QueryModel):
    """A page: entries below `max_id` and above `since_id`, the newest first, or those next above `min_id`.

    A `limit` beyond what one page may have is that number, as apps expect.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    max_id: Position | None = None
    since_id: Position | None = None
    min_id: Position | None = None
    limit: Annotated[int, BeforeValidator(_limit)] = DEFAULT

    def size(self, most: int = STATUSES) -> int:
        """Return how many entries the page may have."""
        return max(1, min(self.limit, most))


class Page(NamedTuple):
    """The items of a page by descending position, and the positions of the first and the last one; None if empty."""

    items: Sequence[Any]
    first: int | None
    last: int | None


async def read_page(query: PageQuery, read: Read[T], key: Key[T], *, most: int = STATUSES) -> Page:
    """Return the page that a query asks for."""
    size = query.size(most)
    if query.min_id is not None:
        items = await lowest_above(query.min_id, read, key, limit=size, below=query.max_id)
    else:
        floor = -1 if query.since_id is None else query.since_id
        items = [item for item in await read(query.max_id, size) if key(item) > floor]
    return Page(items, key(items[0]), key(items[-1])) if items else Page([], None, None)


async def lowest_above(floor: int, read: Read[T], key: Key[T], *, limit: int, below: int | None = None) -> Sequence[T]:
    """Return the `limit` items with the lowest positions above `floor`, by descending position.

    `read` only goes downwards. So the lowest items are searched for between `floor` and the ones that are known, in
    steps that halve the distance; a page just below the top of a list takes one or two reads.
    """

    async def above(before: int | None) -> list[T]:
        return [item for item in await read(before, limit) if key(item) > floor]

    known = await above(below)
    bottom = floor + 1  # fewer than `limit` items are between `floor` and this position
    while len(known) == limit:
        lower = await above(key(known[-1]))
        if len(lower) < limit:
            return [*known, *lower][-limit:]
        middle = (bottom + key(lower[-1])) // 2
        jumped = await above(middle)
        if len(jumped) == limit:
            known = jumped
        else:
            known, bottom = lower, max(bottom, middle)
    return known


def link_header(url: str, query: str, page: Page, *, position: Callable[[int], str] = str) -> str | None:
    """Return the header `Link` of a page at `url`, whose other parameters are kept; None for an empty page.

    `position` writes the positions as ids of the list.
    """
    if page.first is None or page.last is None:
        return None
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in _POSITIONS]
    following = urlencode([*kept, ("max_id", position(page.last))])
    previous = urlencode([*kept, ("min_id", position(page.first))])
    return f'<{url}?{following}>; rel="next", <{url}?{previous}>; rel="prev"'
