"""Applications, each built from the stores: live connections, and the HTTP API with its services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.contract.tracing import Tracing
from channels.live import Live, build_live
from server.actions.new_accounts import new_account_limiter
from server.actions.notifications import NotificationActions
from server.actions.presence import PresenceReader
from server.actions.reactions import ReactionActions
from server.actions.token_lookup import TokenLookup
from server.api.services import ApiSettings, Services, no_limit
from server.composition.actions import IdentitySettings, build_actions
from server.composition.app_interface import app_streaming
from server.composition.application import make_app, make_live_app
from server.composition.backends import Stores, variant_registry
from server.composition.blob_stores import open_presigner, upload_directory
from server.composition.graphql_routes import accepted_documents
from server.composition.graphql_subscriptions import subscription_documents
from server.composition.outbound import outbound_policy
from server.composition.push import push_settings
from server.composition.roles import only_reads
from server.composition.signing import mail_tokens, media_urls, secret_bytes, verdict_tokens
from server.config.section import from_sections
from server.config.settings import Settings
from server.edge.access_log import AccessLog, EventLog, JsonLines
from server.edge.body import BodyPace
from server.edge.methods import Methods
from server.identity.api_tokens import ApiTokens
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from server.identity.tokens import AccessTokens
from server.live.access import LiveAuthenticator, LiveAuthorizer, LivePresences
from server.live.operations import LiveOperations
from server.live.streams import live_streams
from server.media.image_checks import UploadLimits
from server.media.local_uploads import LocalPresigner
from server.media.variant_requests import VariantRequests
from server.media.video_checks import VideoUploadLimits
from server.operation.logs import LogStream, writes_json
from server.operation.metrics import Metrics
from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.cache.variant_states import VariantStates
from storage.feeds.highlights import Highlights
from storage.feeds.home import Home
from storage.feeds.home_database import DatabaseHome
from storage.feeds.public_cards import PublicCards
from storage.feeds.trending import Trending
from storage.holds import HoldPolicy
from storage.ids import slot_group
from storage.limits.open_sessions import OpenSessions, ReplicatedSessions
from storage.limits.quotas import Quotas
from storage.limits.tickets import Tickets
from storage.postgres.reads import PrimaryReads
from workers.signals.settings import SignalSettings

STATIC = Path(__file__).parents[2] / "static"


def hold_policy(settings: Settings) -> HoldPolicy:
    """Return which new photos are held."""
    return from_sections(HoldPolicy, settings.moderation)


def build_live_layer(
    settings: Settings,
    stores: Stores,
    metrics: Metrics,
    *,
    require_space: Callable[[], None] = no_limit,
    tracing: Tracing | None = None,
) -> Live:
    """Return the live connections of this process; `require_space` raises `FullError` while the disk is full."""
    section, secret = settings.live, secret_bytes(settings)
    streams = live_streams(
        db=stores.db,
        feeds=stores.feeds,
        cards=stores.cards,
        counter_cache=stores.counter_cache,
        notification_log=stores.notification_log,
        sign=media_urls(settings).sign,
    )
    presence, limiter = PresenceReader(stores.db, stores.presence), rate_limiter(settings, stores)
    ports = Ports(
        authenticator=LiveAuthenticator(
            AccessTokens(secret, ttl=settings.auth.access_ttl), Tickets(stores.redis), api_tokens(settings, stores)
        ),
        streams=streams,
        authorizer=LiveAuthorizer(stores.db, presence, stores.reads),
        presences=LivePresences(presence),
        operations=LiveOperations(
            ReactionActions(stores.db, stores.counter_cache),
            NotificationActions(stores.db, stores.notification_log),
            limiter,
            stores.reads,
            require_space=require_space,
        ),
        graphql=subscription_documents(accepted_documents(settings.graphql), limiter, metrics),
    )
    return build_live(
        stores.redis,
        ports,
        slot_group,
        from_sections(LiveSettings, section, settings.server),
        metrics=metrics,
        tracing=tracing,
    )


def build_live_app(settings: Settings, stores: Stores, live: Live, metrics: Metrics) -> web.Application:
    """Return the application of live connections alone."""
    app = make_live_app(live, api_settings(settings), metrics, access_log(settings), api_tokens(settings, stores))
    if settings.mastodon.enabled:
        streaming = app_streaming(
            live,
            stores.reads,
            stores.counter_cache,
            variants=variant_registry(settings),
            urls=media_urls(settings),
            public_url=settings.public_url,
        )
        app.router.add_routes(streaming.routes())
    return app


def build_api_app(
    settings: Settings,
    stores: Stores,
    live: Live | None,
    metrics: Metrics,
    passwords: Passwords,
    *,
    methods: Methods = Methods.ALL,
    require_space: Callable[[], None] = no_limit,
    tracing: Tracing | None = None,
) -> web.Application:
    """Return the application of the API, images and pages, and of live connections if `live` is given.

    It accepts `methods` alone; `require_space` raises `FullError` while there is no space.
    """
    services = replace(api_services(settings, stores, passwords, metrics), require_space=require_space)
    return make_app(
        replace(
            services,
            live=live,
            metrics=metrics,
            variant_metrics=metrics,
            upload_metrics=metrics,
            search_metrics=metrics,
            case_metrics=metrics,
            oauth_metrics=metrics,
            graphql_metrics=metrics,
            access_log=access_log(settings),
        ),
        methods,
        tracing,
    )


def api_services(settings: Settings, stores: Stores, passwords: Passwords, metrics: Metrics | None = None) -> Services:
    """Return the services of the API, without live connections and metrics."""
    secret, section = secret_bytes(settings), settings.auth
    tokens, limiter = AccessTokens(secret, ttl=section.access_ttl), rate_limiter(settings, stores)
    # Without a store that has URLs of its own, the API receives signed uploads itself.
    presigner = open_presigner(settings) or LocalPresigner(secret, settings.public_url)
    variants = variant_registry(settings)
    return Services(
        settings=api_settings(settings),
        tokens=tokens,
        api_tokens=api_tokens(settings, stores),
        limiter=limiter,
        new_accounts=new_account_limiter(stores.db, limiter, from_sections(SignalSettings, settings.abuse)),
        actions=build_actions(
            stores,
            tokens=tokens,
            passwords=passwords,
            limiter=limiter,
            identity=IdentitySettings(secret=secret, public_url=settings.public_url),
            presigner=presigner,
            refresh_ttl=section.refresh_ttl,
            policy=outbound_policy(settings),
            deletion_grace=timedelta(days=settings.accounts.deletion_grace),
            tus_ttl=timedelta(hours=settings.retention.upload_hours),
            verdict_tokens=verdict_tokens(settings),
            push=push_settings(settings),
            settings=settings,
            mail_tokens=mail_tokens(settings),
            metrics=metrics,
        ),
        local_presigner=presigner if isinstance(presigner, LocalPresigner) else None,
        db=stores.db,
        reads=stores.reads,
        blobs=stores.blobs,
        variants=variants,
        variant_requests=VariantRequests(stores.db, stores.blobs, variants, VariantStates(stores.redis)),
        home=Home(stores.reads, stores.redis, stores.feeds, stores.cards, stores.counter_cache),
        database_home=DatabaseHome(stores.fallback, stores.cards),
        highlights=Highlights(stores.db, stores.reads, stores.redis, stores.feeds),
        trending=Trending(stores.reads, PhotoTrends(stores.redis)),
        public_cards=PublicCards(stores.cards, stores.counter_cache),
        tag_trends=TagTrends(stores.redis),
        notification_log=stores.notification_log,
        counter_cache=stores.counter_cache,
        tickets=Tickets(stores.redis),
        media_urls=media_urls(settings),
        graphql_documents=accepted_documents(settings.graphql),
    )


def rate_limiter(settings: Settings, stores: Stores) -> RateLimiter:
    """Return the rate limiter."""
    sessions = ReplicatedSessions(stores.fallback) if only_reads(settings) else OpenSessions(stores.fallback)
    return RateLimiter(Quotas(stores.redis), from_sections(RateLimits, settings.limits), is_open=sessions.has)


def api_tokens(settings: Settings, stores: Stores) -> ApiTokens:
    """Return the verification of opaque tokens."""
    # On the primary: a token is used as soon as it is issued. A region that only reads asks the primary only for those
    # that its replica does not know yet.
    far = only_reads(settings)
    lookup = TokenLookup(stores.reads, None) if far else TokenLookup(PrimaryReads(stores.db), stores.db)
    return ApiTokens(lookup.find, rate_limiter(settings, stores), ttl=settings.auth.access_ttl)


def access_log(settings: Settings) -> AccessLog:
    """Return the access log. Where events are JSON on standard error, its lines are written there directly."""
    return JsonLines(LogStream().write) if writes_json(settings.log) else EventLog()


def api_settings(settings: Settings) -> ApiSettings:
    """Return the settings of the API."""
    return from_sections(
        ApiSettings,
        settings.auth,
        settings.server,
        settings.accounts,
        secret=secret_bytes(settings),
        public_url=settings.public_url,
        surrogate_keys=settings.edge.hook_url is not None,
        upload_dir=upload_directory(settings),
        static_dir=STATIC if STATIC.is_dir() else None,
        upload=from_sections(UploadLimits, settings.upload),
        video=from_sections(VideoUploadLimits, settings.video),
        body_pace=from_sections(BodyPace, settings.upload),
        hold=hold_policy(settings),
        carried_positions=settings.database.carried_positions,
        mastodon=settings.mastodon.enabled,
    )
