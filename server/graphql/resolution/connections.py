"""Connections: pages of lists in the form of Relay, with the cursors of the REST API.

https://relay.dev/graphql/connections.htm. A list goes on from a cursor at any edge, in the one direction that REST has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, TypeAlias, TypeVar

import strawberry

from server.edge.paging import BadCursorError, Cursors
from server.edge.problem import bad_field
from server.graphql.fields import Each, Results, batch, leaf
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type

MAX_FIRST = 100
DEFAULT_FIRST = 20

First = Annotated[int, strawberry.argument(description="How many items, from 1 to 100.")]
After = Annotated[
    str | None, strawberry.argument(description="The cursor of the item after which the page begins; see `PageInfo`.")
]

T = TypeVar("T")
K = TypeVar("K", int, str)
R = TypeVar("R")
Page: TypeAlias = Source  # the value of a connection, as `connection` returns it
_PLACES, _INDEX = "places", "index"  # entries of values that are no fields
P = TypeVar("P")


class _Places(NamedTuple):
    """The cursors of a page: `behind` returns the one behind the object at an index, `next` is that of the last one."""

    length: int
    next: str | None
    behind: Callable[[int], str | None]

    def at(self, index: int) -> str | None:
        """Return the cursor behind an object; None for an index that the page does not have."""
        if not 0 <= index < self.length:
            return None
        return (self.next if index == self.length - 1 else None) or self.behind(index)


def connection(
    nodes: Sequence[Source],
    *,
    next: str | None = None,  # noqa: A002 - the name that REST has for it
    after: str | None = None,
    cursor: Callable[[int], str | None] = lambda _: None,
    **members: Any,
) -> Page:
    """Return the value of a connection.

    `cursor` returns the cursor behind the object at an index, None where the list can only be continued at the end of
    the page, with the cursor `next`, which is None at the end of the list. `members` are further fields.
    """
    places = _Places(len(nodes), next, cursor)
    info = {"has_next_page": next is not None, "has_previous_page": after is not None, _PLACES: places}
    return {"nodes": list(nodes), "page_info": info, **members}


def _edges(page: Page) -> list[Source]:
    places: _Places = page["page_info"][_PLACES]
    return [{"node": node, _PLACES: places, _INDEX: index} for index, node in enumerate(page["nodes"])]


def _cursor(edge: Source) -> str | None:
    places: _Places = edge[_PLACES]
    return places.at(edge[_INDEX])


def _end_cursor(info: Source) -> str | None:
    places: _Places = info[_PLACES]
    return places.at(places.length - 1)


def _start_cursor(info: Source) -> str | None:
    places: _Places = info[_PLACES]
    return places.behind(0) if places.length else None


@object_type
class PageInfo:
    """Where a page is in its list. Lists are read forwards: `first` items after the cursor `after`."""

    has_next_page: bool = leaf(description="Whether there are items after this page.")
    end_cursor: str | None = batch(
        Each(_end_cursor), description="The cursor of the last item: the `after` of the next page."
    )
    has_previous_page: bool = leaf(description="Whether this page began after a cursor.")
    start_cursor: str | None = batch(Each(_start_cursor), description="The cursor of the first item.")


@object_type
class Edge(Generic[T]):
    """An item of a list, and its place there."""

    node: T = leaf(description="The item.")
    cursor: str | None = batch(
        Each(_cursor),
        description="The place of the item; null where the list can only be continued at the end of the page.",
    )


@object_type
class Connection(Generic[T]):
    """A page of a list."""

    edges: list[Edge[T]] = batch(Each(_edges), weight=0, description="The items, each with its cursor.")
    nodes: list[T] = leaf(description="The items, without cursors.")
    page_info: PageInfo = leaf(weight=0, description="Where the page is in its list.")


def checked_first(first: int) -> int:
    """Return the size of a page; raise a 400 unless it is 1 to 100."""
    if not 1 <= first <= MAX_FIRST:
        raise bad_field("first", f"Use a whole number from 1 to {MAX_FIRST}.")
    return first


def decoded(context: RequestContext, listing: str, after: str | None) -> int | None:
    """Return the number in a cursor; raise a 400 for one of another list."""
    with after_errors():
        return context.shared.cursors.decode(listing, after)


@contextmanager
def after_errors() -> Iterator[None]:
    """Let an invalid cursor be a 400 that names the argument."""
    try:
        yield
    except BadCursorError as error:
        raise bad_field("after", str(error)) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing(Generic[K, R, P]):
    """A list below parents: how it is named in cursors, read, and turned into objects.

    `read` returns the rows of each list after its place, at most so many of each. `place` is that of a row, which
    `encode` and `decode` turn into cursors.
    """

    name: Callable[[K], str]
    read: Callable[[Mapping[K, P | None], int], Awaitable[Mapping[K, Sequence[R]]]]
    sources: Callable[[Sequence[R]], Awaitable[Sequence[Source]]]
    place: Callable[[R], P]
    encode: Callable[[Cursors, str, P], str]
    decode: Callable[[Cursors, str, str | None], P | None]


def _encode_number(cursors: Cursors, name: str, place: int) -> str:
    return cursors.encode(name, place)


def _decode_number(cursors: Cursors, name: str, cursor: str | None) -> int | None:
    return cursors.decode(name, cursor)


def numbered(
    name: Callable[[K], str],
    read: Callable[[Mapping[K, int | None], int], Awaitable[Mapping[K, Sequence[R]]]],
    sources: Callable[[Sequence[R]], Awaitable[Sequence[Source]]],
    place: Callable[[R], int],
) -> Listing[K, R, int]:
    """Return a list whose places are numbers: ids, versions or positions."""
    return Listing(name=name, read=read, sources=sources, place=place, encode=_encode_number, decode=_decode_number)


async def pages(
    context: RequestContext, keys: Iterable[K], listing: Listing[K, R, P], *, first: int, after: str | None
) -> Results[Page]:
    """Return a page of the list of each parent; all of them are read together."""
    wanted, limit = list(keys), checked_first(first)
    cursors = context.shared.cursors
    starts: dict[K, P | None] = {}
    failures: dict[K, Exception] = {}
    for key in dict.fromkeys(wanted):
        try:
            starts[key] = listing.decode(cursors, listing.name(key), after)
        except BadCursorError as error:
            failures[key] = bad_field("after", str(error))
    found = await listing.read(starts, limit + 1) if starts else {}
    rows = {key: list(found.get(key, ())) for key in starts}
    shown = [row for listed in rows.values() for row in listed[:limit]]
    sources = iter(await listing.sources(shown) if shown else ())

    def page(key: K, listed: Sequence[R]) -> Page:
        name, cut = listing.name(key), listed[:limit]

        def cursor(index: int) -> str:
            return listing.encode(cursors, name, listing.place(cut[index]))

        more = len(listed) > limit
        nodes = [next(sources) for _ in cut]
        return connection(nodes, next=cursor(len(cut) - 1) if more else None, after=after, cursor=cursor)

    made = {key: page(key, listed) for key, listed in rows.items()}
    return [failures[key] if key in failures else made[key] for key in wanted]


async def page_of(context: RequestContext, key: K, listing: Listing[K, R, P], *, first: int, after: str | None) -> Page:
    """Return a page of one list; raise a 400 for a cursor of another one."""
    (page,) = await pages(context, [key], listing, first=first, after=after)
    if isinstance(page, Exception):
        raise page
    return page
