"""The GraphQL interface: its schema, what resolvers share, and its routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import strawberry
from aiohttp import web
from strawberry.schema.config import StrawberryConfig

from server.actions.search import SearchActions
from server.api.home_feed import HomeFeed
from server.api.photo_feeds import PhotoFeeds
from server.api.photo_serializer import PhotoSerializer
from server.api.services import Services
from server.api.table import upload_posts
from server.config.graphql import GraphqlSection
from server.edge.api_request import ApiRequest
from server.edge.endpoint import Endpoint
from server.edge.guard import Guard
from server.edge.idempotency import Idempotency
from server.edge.middleware import Handler, opens_page
from server.edge.pages import Pages
from server.edge.paging import Cursors
from server.graphql.endpoint import PATH, GraphqlApi, GraphqlServices
from server.graphql.executor import Executor
from server.graphql.mutations.mutation import Mutation
from server.graphql.objects.notification_types import Notification
from server.graphql.objects.scalars import SCALARS
from server.graphql.persisted import Accepted, PersistedDocuments, load_manifest
from server.graphql.queries.query import Query
from server.graphql.resolution.context import RequestContext, SharedServices
from server.graphql.resolution.rules import EndpointRules
from server.graphql.subscriptions.subscription import Subscription

SCHEMA_PATH = f"{PATH}/schema.graphql"


@cache
def make_schema() -> strawberry.Schema:
    """Return the schema of the API."""
    return strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        # Types that are found behind the interface `Node` alone.
        types=[Notification],
        config=StrawberryConfig(scalar_map=dict(SCALARS)),
    )


def persisted_documents(section: GraphqlSection) -> PersistedDocuments:
    """Return the documents that clients may name; raise `ConfigError` for a file that is no manifest."""
    manifest = None if section.manifest is None else load_manifest(section.manifest)
    return PersistedDocuments(Accepted(section.documents), manifest)


def graphql_routes(
    services: Services, guard: Guard, table: Sequence[Endpoint], pages: Pages | None
) -> list[web.RouteDef]:
    """Return the routes of the endpoint, of the schema as a text, and of the explorer where there are pages."""
    api = GraphqlApi(
        GraphqlServices(
            executor=Executor(make_schema()),
            new_context=request_contexts(services, guard, table),
            charger=guard,
            documents=services.graphql_documents,
            metrics=services.graphql_metrics,
        )
    )
    handlers = {endpoint.method: guard.bind(endpoint) for endpoint in api.endpoints()}
    read = handlers["GET"] if pages is None else _page_or(pages, handlers["GET"])
    return [
        web.post(PATH, handlers["POST"]),
        web.get(PATH, read, allow_head=True),
        web.get(SCHEMA_PATH, _schema_text, allow_head=True),
    ]


def _page_or(pages: Pages, query: Handler) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        # A browser opens the address without a query; what has one is a persisted query, whatever it accepts.
        if opens_page(request) and not request.query_string:
            return await pages.explorer(request)
        return await query(request)

    return handler


async def _schema_text(_request: web.Request) -> web.Response:
    return web.Response(
        text=make_schema().as_str() + "\n", content_type="text/plain", headers={"Cache-Control": "no-cache"}
    )


def request_contexts(
    services: Services, guard: Guard, table: Iterable[Endpoint]
) -> Callable[[ApiRequest], RequestContext]:
    """Return what makes the context of a request's resolvers; `table` are the endpoints whose rules the fields have."""
    settings = services.settings
    cursors = Cursors(settings.secret)
    shared = SharedServices(
        services=services,
        rules=EndpointRules(guard, table),
        cursors=cursors,
        serializer=PhotoSerializer(services.counter_cache, services.variants, services.media_urls),
        home=HomeFeed(services.home, services.database_home, services.media_urls, services.limiter),
        feeds=PhotoFeeds(services.reads, services.highlights, cursors),
        search=SearchActions(services.reads, services.search_metrics, timeout=settings.search_timeout),
        idempotency=Idempotency(services.db),
        posts=upload_posts(services),
    )
    return lambda request: RequestContext(request, shared)
