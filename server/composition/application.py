"""The aiohttp application: routes of the API below `/api/v1`, images, pages and live connections."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import orjson
from aiohttp import web

from channels.contract.tracing import Tracing
from channels.live import Live
from server.api.endpoint_scopes import scope_of
from server.api.oauth import OAuthRoutes
from server.api.photo_serializer import PhotoSerializer
from server.api.services import ApiSettings, Services
from server.api.table import endpoints
from server.composition.app_interface import AppInterface, app_streaming
from server.composition.graphql_routes import graphql_routes
from server.edge.access_log import AccessLog, EventLog
from server.edge.api_request import json_response
from server.edge.authentication import RequestAuthenticator
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.endpoint import PREFIX, Endpoint
from server.edge.first_responses import FirstResponses
from server.edge.guard import Guard
from server.edge.method_roles import only
from server.edge.methods import Methods
from server.edge.middleware import Handler, HttpMetrics, edge
from server.edge.openapi import describe
from server.edge.pages import Pages
from server.edge.tracing import traced
from server.identity.api_tokens import ApiTokens
from server.identity.tokens import AccessTokens
from server.live.routes import LiveRoutes
from server.media.openapi import image_paths
from server.media.originals import OriginalRoutes
from server.media.variants import VariantRoutes
from server.previews.link_previews import LinkPreviews
from server.previews.page_head import PageHeads
from server.previews.routes import LinkRoutes
from server.previews.sitemap import Sitemap
from storage.blobs.variants import VariantRegistry


def make_app(services: Services, methods: Methods = Methods.ALL, tracing: Tracing | None = None) -> web.Application:
    """Return the application of all routes, which accepts `methods` alone; it opens and closes nothing."""
    settings = services.settings
    authenticator = RequestAuthenticator(services.tokens, services.api_tokens)
    table = endpoints(services)
    guard = Guard(
        authenticator,
        services.limiter,
        settings.body_pace,
        services.reads,
        require_space=services.require_space,
        require_proof=services.actions.reauthentication.require,
        new_accounts=services.new_accounts,
        scope_of=scope_of,
    )
    app = _edge_app(settings, services.metrics, services.access_log, methods, tracing)
    apps = AppInterface(services, authenticator, table) if settings.mastodon else None
    if apps is not None:
        apps.add_shared(app)
    for endpoint in table:
        resource = app.router.add_resource(PREFIX + endpoint.path)
        for method in ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,):
            resource.add_route(method, guard.bind(endpoint))
    if apps is not None:
        apps.add_others(app)
    app.router.add_get(f"{PREFIX}/openapi.json", _document(table, settings, services.variants))
    variants = VariantRoutes(
        services.db,
        services.blobs,
        services.variants,
        services.media_urls,
        services.variant_requests,
        metrics=services.variant_metrics,
        surrogate_keys=settings.surrogate_keys,
    )
    originals = OriginalRoutes(services.db, services.blobs, authenticator, services.tickets)
    app.router.add_routes([*variants.routes(), *originals.routes()])
    oauth = OAuthRoutes(
        services.actions.token_grants,
        services.limiter,
        settings.body_pace,
        issuer=settings.public_url,
        metrics=services.oauth_metrics,
    )
    app.router.add_routes(oauth.routes())
    live = None if services.live is None else LiveRoutes(services.live, authenticator)
    _add_pages(app, services, guard, table, live)
    if services.live is not None and live is not None:
        app.router.add_routes(live.routes())
        if apps is not None:
            streaming = app_streaming(
                services.live,
                services.reads,
                services.counter_cache,
                variants=services.variants,
                urls=services.media_urls,
                public_url=settings.public_url,
            )
            app.router.add_routes(streaming.routes())
    return app


def _add_pages(
    app: web.Application, services: Services, guard: Guard, table: Sequence[Endpoint], live: LiveRoutes | None
) -> None:
    """Add the web application, what others get of links to it, and the GraphQL interface with its page."""
    settings = services.settings
    serializer = PhotoSerializer(services.counter_cache, services.variants, services.media_urls)
    public_url = settings.public_url.rstrip("/")
    previews = LinkPreviews(services.reads, serializer, public_url)
    for endpoint in LinkRoutes(previews, Sitemap(services.reads, public_url), public_url).endpoints():
        app.router.add_get(endpoint.path, guard.bind(endpoint))
    heads = PageHeads(previews, services.limiter)
    first = FirstResponses(table, guard)
    pages = None if settings.static_dir is None else Pages(settings.static_dir, heads, first)
    interface = graphql_routes(services, guard, table, pages)
    app.router.add_routes(interface if live is None else live.with_subscriptions(interface))
    if pages is not None:
        app.router.add_routes(pages.routes())


def make_live_app(
    live: Live,
    settings: ApiSettings,
    metrics: HttpMetrics,
    access_log: AccessLog | None = None,
    api_tokens: ApiTokens | None = None,
) -> web.Application:
    """Return the application of live connections alone."""
    app = _edge_app(settings, metrics, access_log or EventLog())
    authenticator = RequestAuthenticator(AccessTokens(settings.secret, ttl=settings.access_ttl), api_tokens)
    routes = LiveRoutes(live, authenticator)
    app.router.add_routes([*routes.routes(), *routes.graphql_routes()])
    return app


def _edge_app(
    settings: ApiSettings,
    metrics: HttpMetrics,
    access_log: AccessLog,
    methods: Methods = Methods.ALL,
    tracing: Tracing | None = None,
) -> web.Application:
    addresses, cross_origin = ClientAddresses(settings.trusted_proxies), CrossOrigin(settings.allowed_origins)
    outermost = edge(
        addresses,
        cross_origin,
        metrics,
        access_log,
        secure=settings.secure,
        carries_positions=settings.carried_positions,
    )
    middlewares = [outermost] if methods is Methods.ALL else [outermost, only(methods)]
    return web.Application(middlewares=middlewares if tracing is None else [traced(tracing, addresses), *middlewares])


def _document(table: Sequence[Endpoint], settings: ApiSettings, variants: VariantRegistry) -> Handler:
    @cache
    def body() -> bytes:
        try:
            number = version("picshare")
        except PackageNotFoundError:
            number = "0"
        document = describe(table, version=number, public_url=settings.public_url, scope_of=scope_of)
        document["paths"] |= image_paths(variants)
        return orjson.dumps(document)

    async def handler(_request: web.Request) -> web.Response:
        # Made for the first request, because that takes a quarter of a second, by which each process would start later;
        # and in a thread, so that other requests do not wait for it.
        return json_response(await asyncio.to_thread(body))

    return handler
