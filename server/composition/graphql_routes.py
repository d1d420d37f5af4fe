"""The GraphQL interface of an application: its routes, and which documents it executes."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from server.api.services import Services
from server.config.graphql import GraphqlSection
from server.edge.endpoint import Endpoint
from server.edge.guard import Guard
from server.edge.middleware import Handler, opens_page
from server.edge.pages import Pages
from server.graphql.manifest import AcceptedDocuments, load_manifest
from server.graphql.routes import PATH, GraphqlRoutes, Handlers


def accepted_documents(section: GraphqlSection) -> AcceptedDocuments:
    """Return which documents are executed; raise `ConfigError` for a file that is no manifest."""
    manifest = {} if section.manifest is None else load_manifest(section.manifest)
    return AcceptedDocuments(manifest=manifest, trusted=section.documents == "trusted")


def graphql_routes(
    services: Services, guard: Guard, table: Sequence[Endpoint], pages: Pages | None
) -> list[web.RouteDef]:
    """Return the routes of the interface, and of the explorer where there are pages.

    `table` are the endpoints of the REST API, whose rules the fields have.
    """

    def load() -> Handlers:
        # Here, because these modules take half a second: see `GraphqlRoutes`.
        from server.composition.graphql import make_schema, request_contexts  # noqa: PLC0415
        from server.graphql.executor import Executor  # noqa: PLC0415
        from server.graphql.handlers import GraphqlHandlers, GraphqlServices  # noqa: PLC0415

        return GraphqlHandlers(
            GraphqlServices(
                executor=Executor(make_schema()),
                new_context=request_contexts(services, guard, table),
                charger=guard,
                documents=services.graphql_documents,
                metrics=services.graphql_metrics,
            )
        )

    routes = []
    for endpoint in GraphqlRoutes(load).endpoints():
        handler = guard.bind(endpoint)
        if endpoint.method == "POST":
            routes.append(web.post(endpoint.path, handler))
            continue
        if pages is not None and endpoint.path == PATH:
            handler = _page_or(pages, handler)
        routes.append(web.get(endpoint.path, handler, allow_head=True))
    return routes


def _page_or(pages: Pages, query: Handler) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        # A browser opens the address without a query; what has one is a persisted query, whatever it accepts.
        if opens_page(request) and not request.query_string:
            return await pages.explorer(request)
        return await query(request)

    return handler
