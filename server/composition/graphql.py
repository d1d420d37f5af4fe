"""The GraphQL interface: its schema, and what resolvers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import strawberry
from strawberry.schema.config import StrawberryConfig

from server.actions.search import SearchActions
from server.api.home_feed import HomeFeed
from server.api.photo_feeds import PhotoFeeds
from server.api.photo_serializer import PhotoSerializer
from server.api.services import Services
from server.api.table import upload_posts
from server.edge.api_request import ApiRequest
from server.edge.endpoint import Endpoint
from server.edge.guard import Guard
from server.edge.idempotency import Idempotency
from server.edge.paging import Cursors
from server.graphql.mutations.mutation import Mutation
from server.graphql.objects.notification_types import Notification
from server.graphql.objects.scalars import SCALARS
from server.graphql.queries.query import Query
from server.graphql.resolution.context import RequestContext, SharedServices
from server.graphql.resolution.rules import EndpointRules
from server.graphql.subscriptions.subscription import Subscription


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


def schema_text() -> str:
    """Return the schema in the language of GraphQL, as `docs/schema.graphql` has it."""
    return make_schema().as_str() + "\n"


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
