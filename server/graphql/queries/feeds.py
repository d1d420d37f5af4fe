"""Pages of feeds, and accounts to follow."""

from __future__ import annotations

from typing import Annotated

import orjson
import strawberry

from server.api.home_feed import LISTING
from server.edge.feed_requests import FeedQuery
from server.edge.responses import SuggestedUserResponse, stream_position
from server.graphql.objects.enums import FeedOrder, FeedSource
from server.graphql.objects.scalars import Time
from server.graphql.queries.input import checked_query
from server.graphql.resolution.connections import (
    DEFAULT_FIRST,
    After,
    First,
    Page,
    after_errors,
    checked_first,
    connection,
    decoded,
)
from server.graphql.resolution.context import RequestContext
from server.graphql.resolution.node_ids import NodeKind
from storage import models
from storage.ids import encode
from storage.postgres.database import Queryable
from storage.render.images import unopened
from storage.render.timestamps import timestamp
from storage.stores.discovery import account_suggestions
from storage.stores.discovery.account_suggestions import MadeSuggestions

ListId = Annotated[
    strawberry.ID | None, strawberry.argument(description="With the source LIST, the id of one of your lists.")
]
Since = Annotated[
    Time | None, strawberry.argument(description="With the order HIGHLIGHTS, the time from which on they are.")
]


async def feed(
    context: RequestContext,
    *,
    first: First = DEFAULT_FIRST,
    after: After = None,
    source: FeedSource = FeedSource.HOME,
    order: FeedOrder = FeedOrder.NEWEST,
    list: ListId = None,  # noqa: A002 - the argument's name
    since: Since = None,
) -> Page:
    """Return a page of a feed."""
    named = (
        source.value if source is not FeedSource.LIST else f"list:{encode(NodeKind.LIST.decode(list or '', 'list'))}"
    )
    query = checked_query(FeedQuery, source=named, order=order.value, since=since, limit=first, cursor=after)
    last_seen, viewer_id = context.actions.last_seen, context.request.viewer.user_id
    if query.is_home_by_time:
        page = await _home(context, query)
        await last_seen.record(viewer_id)
        return page
    await context.due.settle()
    if query.order == "highlights":
        # This may begin a visit, and the highlights are those since the visit before it.
        await last_seen.record(viewer_id)
    with after_errors():
        found = await context.shared.feeds.read(viewer_id, query)
    shown = None if found.since is None else timestamp(found.since)
    nodes = await context.photo_sources(found.photos)
    return connection(nodes, next=found.next, after=after, since=shown)


async def _home(context: RequestContext, query: FeedQuery) -> Page:
    before = decoded(context, LISTING, query.cursor)
    with context.due.taken() as units:
        page = await context.shared.home.page(
            context.request, before=before, limit=query.limit, cost=units, write=unopened
        )
    nodes = orjson.loads(b"[%b]" % b"".join(page.pieces))
    cursors = context.shared.cursors
    return connection(
        nodes,
        next=None if page.next is None else cursors.encode(LISTING, page.next),
        after=query.cursor,
        cursor=lambda index: cursors.encode(LISTING, context.number(nodes[index])),
        # A client recovers the stream from the newest page; later pages are older than any position.
        stream=stream_position(page.position) if query.cursor is None else None,
    )


async def suggested_users(context: RequestContext, first: First = DEFAULT_FIRST, after: After = None) -> Page:
    """Return a page of suggested accounts."""
    viewer_id, limit = context.request.viewer.user_id, checked_first(first)
    start = decoded(context, "suggested users", after) or 0

    async def read(db: Queryable) -> tuple[MadeSuggestions, dict[int, models.User]]:
        made = await account_suggestions.read(db, viewer_id)
        ids = [entry.user_id for entry in made.accounts]
        return made, await account_suggestions.suggestible(db, viewer_id, ids) if ids else {}

    made, found = await context.read(read)
    if made.due:
        await context.actions.suggestions.want(viewer_id)
    # A place in the stored list, in which those that are not shown any more keep theirs.
    shown = [entry for entry in made.accounts if entry.place > start and entry.user_id in found]
    page = shown[:limit]

    def cursor(index: int) -> str:
        return context.shared.cursors.encode("suggested users", page[index].place)

    fields = [SuggestedUserResponse.of(found[entry.user_id], entry).model_dump() for entry in page]
    return connection(
        [{**each, "user": each} for each in fields],
        next=cursor(-1) if len(shown) > limit else None,
        after=after,
        cursor=cursor,
    )
