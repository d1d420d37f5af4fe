"""Search, tags, and what trends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
import strawberry

from server.actions.search import Results
from server.api.trends import PHOTOS, TAGS
from server.edge.problem import bad_field
from server.edge.requests import SearchKind, WordSearchQuery
from server.edge.search_responses import FoundTagResponse
from server.graphql.fields import TYPE_NAME, batch
from server.graphql.objects.discovery_types import Tag
from server.graphql.objects.enums import SearchType
from server.graphql.objects.photo_types import Photo
from server.graphql.queries.input import checked_query
from server.graphql.resolution.connections import (
    DEFAULT_FIRST,
    After,
    Connection,
    First,
    Page,
    after_errors,
    checked_first,
    connection,
    decoded,
    numbered,
    page_of,
)
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.rules import own
from storage import texts
from storage.models import Photo as StoredPhoto
from storage.render.user_summary import user_summary_fields
from storage.search_text import parse
from storage.stores.discovery.tag_search import FoundTag
from storage.stores.discovery.user_search import FoundUser
from storage.stores.photos import photo_lists

F = TypeVar("F", FoundUser, FoundTag)

TagName = Annotated[str, strawberry.argument(description="The name of a tag, with or without `#`.")]
SearchText = Annotated[str, strawberry.argument(description="What to search for: words, or parts of names.")]


def tag_name(name: str, argument: str = "name") -> str:
    """Return a tag in normal form; raise a 400 for what is no tag."""
    try:
        return texts.tag(name, max_letters=texts.MAX_TAG_LENGTH)
    except ValueError as error:
        raise bad_field(argument, str(error)) from error


async def tag(_context: RequestContext, name: TagName) -> Source:
    """Return a tag, whether it is in use or not."""
    return {"tag": tag_name(name)}


async def photos(context: RequestContext, first: First = DEFAULT_FIRST, after: After = None) -> Page:
    """Return the newest photos that everyone may see."""

    async def read(starts: Any, limit: int) -> dict[str, list[StoredPhoto]]:
        ((name, before),) = starts.items()
        found = await context.read(
            lambda db: photo_lists.newest(db, viewer_id=context.viewer_id, before=before, limit=limit)
        )
        return {name: found}

    listing = numbered(lambda name: name, read, context.photo_sources, lambda photo: photo.id)
    return await page_of(context, "photos", listing, first=first, after=after)


async def search(
    context: RequestContext,
    query: SearchText,
    type: SearchType = SearchType.ALL,  # noqa: A002 - the argument's name
    first: First = DEFAULT_FIRST,
    after: After = None,
) -> Page:
    """Return a page of the results of a search."""
    form = checked_query(WordSearchQuery, q=query, type=SearchKind(type.value), limit=first, cursor=after)
    search, results, searched = context.shared.search, Results(), parse(form.q)
    listing, viewer_id = f"search {form.type} {form.q}", context.viewer_id
    match form.type:
        case SearchKind.USERS:
            await search.users(searched, results, viewer_id)
            return _ranked(context, listing, results.users, _user, form, partial=results.partial)
        case SearchKind.TAGS:
            await search.tags(searched, results, viewer_id)
            return _ranked(context, listing, results.tags, _tag, form, partial=results.partial)
        case SearchKind.PHOTOS:
            before = decoded(context, listing, after)
            await search.photos(searched, results, viewer_id, before=before, limit=form.limit + 1)
            return await _photos(context, listing, results, form)
        case SearchKind.ALL:
            if after is not None:
                raise bad_field("after", "Only a search of one type has a cursor.")
            await search.users(searched, results, viewer_id)
            await search.tags(searched, results, viewer_id)
            await search.photos(searched, results, viewer_id, before=None, limit=form.limit)
    users, tags = map(_user, results.users[: form.limit]), map(_tag, results.tags[: form.limit])
    found = map(_photo, await context.photo_sources(results.photos))
    return connection([*users, *tags, *found], partial=results.partial)


def _user(found: FoundUser) -> Source:
    return {**user_summary_fields(found.user), TYPE_NAME: "User"}


def _tag(found: FoundTag) -> Source:
    return {**FoundTagResponse.from_model(found).model_dump(), TYPE_NAME: "Tag"}


def _photo(source: Source) -> Source:
    return {**source, TYPE_NAME: "Photo"}


def _ranked(
    context: RequestContext,
    listing: str,
    results: Sequence[F],
    source: Callable[[F], Source],
    form: WordSearchQuery,
    *,
    partial: bool,
) -> Page:
    """Return a page of results that have a position in the order of all of them."""
    cursors = context.shared.cursors
    with after_errors():
        text = cursors.decode_text(listing, form.cursor)
    after = () if text is None else tuple(map(int, text.split()))
    left = [one for one in results if one.position > after]
    page = left[: form.limit]

    def cursor(index: int) -> str:
        return cursors.encode_text(listing, " ".join(map(str, page[index].position)))

    return connection(
        [source(one) for one in page],
        next=cursor(-1) if len(left) > form.limit else None,
        after=form.cursor,
        cursor=cursor,
        partial=partial,
    )


async def _photos(context: RequestContext, listing: str, results: Results, form: WordSearchQuery) -> Page:
    page = results.photos[: form.limit]

    def cursor(index: int) -> str:
        return context.shared.cursors.encode(listing, page[index].id)

    return connection(
        [_photo(source) for source in await context.photo_sources(page)],
        next=cursor(-1) if len(results.photos) > form.limit else None,
        after=form.cursor,
        cursor=cursor,
        partial=results.partial,
    )


async def _trending_photos(context: RequestContext, first: First = DEFAULT_FIRST, after: After = None) -> Page:
    position = decoded(context, PHOTOS, after)
    services = context.services
    page = await services.trending.page(context.viewer_id, position=position, limit=checked_first(first))
    rendered = await services.public_cards.render(page.photo_ids, context.viewer_id)
    following = None if page.next is None else context.shared.cursors.encode(PHOTOS, page.next)
    return connection([orjson.loads(json) for json in rendered], next=following, after=after)


async def _trending_tags(context: RequestContext, first: First = DEFAULT_FIRST, after: After = None) -> Page:
    position, limit = decoded(context, TAGS, after), checked_first(first)
    found = await context.services.tag_trends.page(position, count=limit + 1)
    page = found[:limit]

    def cursor(index: int) -> str:
        return context.shared.cursors.encode(TAGS, page[index].position)

    return connection(
        [{"tag": entry.tag, "authors": entry.authors} for entry in page],
        next=cursor(-1) if len(found) > limit else None,
        after=after,
        cursor=cursor,
    )


async def trending(_context: RequestContext) -> Source:
    """Return the lists of what trends, which are read by their fields."""
    return {}


@object_type
class Trending:
    """What trends among public photos."""

    photos: Connection[Photo] | None = batch(
        own("GET /photos/trending", _trending_photos),
        description="Photos with many likes and comments for their age and their author.",
    )
    tags: Connection[Tag] | None = batch(
        own("GET /tags/trending", _trending_tags), description="Tags that more authors use than usual."
    )
