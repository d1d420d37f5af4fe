"""Connections: pages of lists in the form of Relay, with the cursors of the REST API.

https://relay.dev/graphql/connections.htm. A list goes on from a cursor at any edge, in the one direction that REST has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import strawberry

from server.edge.paging import BadCursorError, Cursors
from server.edge.problem import bad_field
from server.graphql.fields import ResolverContext, Results, batch, leaf
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
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The value of a connection: its objects, and the cursors behind them.

    `cursor` returns the cursor behind the object at an index, None where the list can only be continued at the end of
    the page, with the cursor `next`, which is None at the end of the list. `members` are further fields.
    """

    nodes: Sequence[Source]
    next: str | None = None
    after: str | None = None
    cursor: Callable[[int], str | None] = lambda _: None
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_next_page(self) -> bool:
        """Return whether there are objects after the page."""
        return self.next is not None

    @property
    def has_previous_page(self) -> bool:
        """Return whether the page began after a cursor."""
        return self.after is not None


class _Edge(NamedTuple):
    """The value of an edge."""

    node: Source
    page: Page
    number: int


def _edges(pages: Sequence[Page], _context: ResolverContext) -> Results[list[_Edge]]:
    return [[_Edge(node, page, index) for index, node in enumerate(page.nodes)] for page in pages]


def _cursors(edges: Sequence[_Edge], _context: ResolverContext) -> Results[str | None]:
    last = [edge.number == len(edge.page.nodes) - 1 for edge in edges]
    return [
        (edge.page.next if is_last else None) or edge.page.cursor(edge.number)
        for edge, is_last in zip(edges, last, strict=True)
    ]


def _page_infos(pages: Sequence[Page], _context: ResolverContext) -> Results[Page]:
    return pages


def _end_cursors(pages: Sequence[Page], _context: ResolverContext) -> Results[str | None]:
    return [page.next or (page.cursor(len(page.nodes) - 1) if page.nodes else None) for page in pages]


def _start_cursors(pages: Sequence[Page], _context: ResolverContext) -> Results[str | None]:
    return [page.cursor(0) if page.nodes else None for page in pages]


def members(name: str) -> Callable[[Sequence[Page], ResolverContext], Results[Any]]:
    """Return the resolver of a further field of a connection."""

    def resolve(pages: Sequence[Page], _context: ResolverContext) -> Results[Any]:
        return [page.members.get(name) for page in pages]

    return resolve


@object_type
class PageInfo:
    """Where a page is in its list. Lists are read forwards: `first` items after the cursor `after`."""

    has_next_page: bool = leaf(description="Whether there are items after this page.")
    end_cursor: str | None = batch(
        _end_cursors, description="The cursor of the last item: the `after` of the next page."
    )
    has_previous_page: bool = leaf(description="Whether this page began after a cursor.")
    start_cursor: str | None = batch(_start_cursors, description="The cursor of the first item.")


@object_type
class Edge(Generic[T]):
    """An item of a list, and its place there."""

    node: T = leaf(description="The item.")
    cursor: str | None = batch(
        _cursors,
        description="The place of the item; null where the list can only be continued at the end of the page.",
    )


@object_type
class Connection(Generic[T]):
    """A page of a list."""

    edges: list[Edge[T]] = batch(_edges, weight=0, description="The items, each with its cursor.")
    nodes: list[T] = leaf(description="The items, without cursors.")
    page_info: PageInfo = batch(_page_infos, weight=0, description="Where the page is in its list.")


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
        return Page(nodes=nodes, next=cursor(len(cut) - 1) if more else None, after=after, cursor=cursor)

    made = {key: page(key, listed) for key, listed in rows.items()}
    return [failures[key] if key in failures else made[key] for key in wanted]


async def page_of(context: RequestContext, key: K, listing: Listing[K, R, P], *, first: int, after: str | None) -> Page:
    """Return a page of one list; raise a 400 for a cursor of another one."""
    (page,) = await pages(context, [key], listing, first=first, after=after)
    if isinstance(page, Exception):
        raise page
    return page
