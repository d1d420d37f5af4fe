"""The interface of Mastodon in an application: its routes before and after those of PicShare's own."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from channels.live import Live
from server.api.photo_serializer import PhotoSerializer
from server.api.services import Services
from server.edge.authentication import RequestAuthenticator
from server.edge.client_addresses import ClientAddresses
from server.edge.endpoint import Endpoint
from server.edge.guard import Guard
from server.mastodon.app_tokens import AppTokens
from server.mastodon.live_events import LiveEvents
from server.mastodon.notifications import NotificationReader
from server.mastodon.rendering import Renderer
from server.mastodon.request import MastodonRequest
from server.mastodon.routing import add_others, add_shared, shared
from server.mastodon.scopes import scope_of
from server.mastodon.streaming import StreamingRoutes
from server.mastodon.table import routes
from server.mastodon.texts import Links
from server.media.urls import MediaUrls
from storage.blobs.variants import VariantRegistry
from storage.cache.counters import CounterCache
from storage.postgres.reads import Reads


def app_streaming(
    live: Live,
    reads: Reads,
    counter_cache: CounterCache,
    *,
    variants: VariantRegistry,
    urls: MediaUrls,
    public_url: str,
) -> StreamingRoutes:
    """Return the routes of apps' live connections, for a process with or without the API."""
    renderer = Renderer(reads, PhotoSerializer(counter_cache, variants, urls), Links(public_url))
    return StreamingRoutes(live, LiveEvents(renderer, NotificationReader(reads, renderer)), reads)


class AppInterface:
    """Routes for apps, with a guard as PicShare's own have one."""

    def __init__(self, services: Services, authenticator: RequestAuthenticator, own: Sequence[Endpoint]) -> None:
        addresses = ClientAddresses(services.settings.trusted_proxies)
        self._tokens = AppTokens(services.db, services.api_tokens, addresses)
        self._routes = routes(services)
        self._shared = shared(self._routes, own)
        self._guard = Guard(
            authenticator,
            services.limiter,
            services.settings.body_pace,
            services.reads,
            require_space=services.require_space,
            require_proof=services.actions.reauthentication.require,
            new_accounts=services.new_accounts,
            scope_of=scope_of,
            request_type=MastodonRequest,
        )

    def add_shared(self, app: web.Application) -> None:
        """Add the routes that PicShare's own interface has, too; to be called before its routes are added."""
        add_shared(app, self._shared, self._guard.bind, self._tokens.used_by)

    def add_others(self, app: web.Application) -> None:
        """Add the other routes, after those of PicShare's own interface."""
        add_others(app, self._routes, self._guard.bind)
