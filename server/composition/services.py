"""Services, each built from the stores: live connections, the HTTP API, workers, the janitor, the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.live import Live, build_live
from server.actions.accounts import AccountActions
from server.actions.appeals import AppealActions
from server.actions.cases import CaseActions
from server.actions.catalog import Actions
from server.actions.comments import CommentActions
from server.actions.enforcement import Enforcement
from server.actions.exports import ExportActions
from server.actions.imports import ImportActions
from server.actions.last_seen import LastSeen
from server.actions.lists import ListActions
from server.actions.moderation import ModerationActions
from server.actions.new_accounts import new_account_limiter
from server.actions.notifications import NotificationActions
from server.actions.photo_collections import CollectionActions
from server.actions.photos import PhotoActions
from server.actions.presence import PresenceReader
from server.actions.profile_images import ProfileImageActions
from server.actions.reactions import ReactionActions
from server.actions.relations import RelationActions
from server.actions.reports import ReportActions
from server.actions.sessions import SessionService
from server.actions.suggestions import SuggestionActions
from server.actions.tags import TagActions
from server.actions.uploads import UploadActions
from server.actions.webhooks import WebhookActions
from server.api.services import ApiSettings, Services, no_limit
from server.composition.application import make_app, make_live_app
from server.composition.backends import Stores, variant_registry
from server.composition.blob_stores import open_presigner, upload_directory
from server.composition.caches import cache_settings
from server.composition.import_intake import PostingIntake
from server.composition.outbound import outbound_policy
from server.config.section import from_sections
from server.config.settings import Settings
from server.demo.community import Demo
from server.edge.access_log import AccessLog, EventLog, JsonLines
from server.edge.body import BodyPace
from server.errors import ConfigError
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from server.identity.tokens import AccessTokens
from server.live.access import LiveAuthenticator, LiveAuthorizer, LivePresences
from server.live.operations import LiveOperations
from server.live.streams import live_streams
from server.media.image_checks import UploadLimits
from server.media.local_uploads import LocalPresigner
from server.media.urls import MediaUrls
from server.media.variant_requests import VariantRequests
from server.media.video_checks import VideoUploadLimits
from server.operation.logs import LogStream, writes_json
from server.operation.metrics import Metrics
from storage.blobs.presign import Presigner
from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.cache.variant_states import VariantStates
from storage.feeds.highlights import Highlights
from storage.feeds.home import Home
from storage.feeds.public_cards import PublicCards
from storage.feeds.star_report import StarReport
from storage.feeds.trending import Trending
from storage.holds import HoldPolicy
from storage.ids import slot_group
from storage.limits.quotas import Quotas
from storage.limits.recent import RecentMembers
from storage.limits.revocations import Revocations
from storage.limits.tickets import REVOCATION_MARGIN, Tickets
from workers.broker.port import Policy
from workers.caches.port import NoPurgeMetrics
from workers.exports.port import NoExportMetrics
from workers.images.limits import DecoderLimits, NoMetrics
from workers.imports.port import ImportSettings, NoImportMetrics
from workers.jobs.abuse_tasks import AbuseTasks
from workers.jobs.account_visibility import AccountVisibility
from workers.jobs.case_tasks import CaseTasks
from workers.jobs.context import NoVariantMetrics, NoWarmMetrics, WorkerContext
from workers.jobs.counter_repair import CounterRepair
from workers.jobs.export_removal import ExportRetention
from workers.jobs.findings import NoFindingMetrics
from workers.jobs.holds import HoldTasks
from workers.jobs.import_retention import ImportRetention
from workers.jobs.janitor import Janitor
from workers.jobs.permissions import LivePermissions
from workers.jobs.photo_decisions import NoModerationMetrics, PhotoDecisions
from workers.jobs.retention import Retention
from workers.jobs.sessions import SessionRevoker
from workers.jobs.star_measures import StarMeasures
from workers.jobs.stars import Stars
from workers.jobs.trends import TrendTasks
from workers.jobs.webhook_retention import WebhookRetention
from workers.outbound.client import NoOutboundMetrics
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import SystemResolver
from workers.signals.settings import SignalSettings
from workers.videos.limits import VideoLimits
from workers.webhooks.port import NoWebhookMetrics
from workers.webhooks.settings import WebhookSettings
from workers.webhooks.verdict_tokens import VerdictTokens

STATIC = Path(__file__).parents[2] / "static"


def secret_bytes(settings: Settings) -> bytes:
    """Return the secret from which all signing keys are derived."""
    if settings.auth.secret is None:
        raise ConfigError("auth.secret is not set.")
    return settings.auth.secret.get_secret_value().encode()


def media_urls(settings: Settings) -> MediaUrls:
    """Return the signer of private images' URLs."""
    section = settings.media
    previous = [secret.get_secret_value().encode() for secret in section.previous_secrets]
    return MediaUrls(secret_bytes(settings), previous=previous, form=section.signature, ttl=section.url_ttl)


def verdict_tokens(settings: Settings) -> VerdictTokens:
    """Return the tokens with which services give verdicts."""
    return VerdictTokens(secret_bytes(settings))


def hold_policy(settings: Settings) -> HoldPolicy:
    """Return which new photos are held."""
    return from_sections(HoldPolicy, settings.moderation)


def build_live_layer(
    settings: Settings, stores: Stores, metrics: Metrics, *, require_space: Callable[[], None] = no_limit
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
    presence = PresenceReader(stores.db, stores.presence)
    ports = Ports(
        authenticator=LiveAuthenticator(AccessTokens(secret, ttl=settings.auth.access_ttl), Tickets(stores.redis)),
        streams=streams,
        authorizer=LiveAuthorizer(stores.db, presence, stores.reads),
        presences=LivePresences(presence),
        operations=LiveOperations(
            ReactionActions(stores.db, stores.counter_cache),
            NotificationActions(stores.db, stores.notification_log),
            rate_limiter(settings, stores),
            stores.reads,
            require_space=require_space,
        ),
    )
    return build_live(
        stores.redis,
        ports,
        slot_group,
        from_sections(LiveSettings, section, settings.server),
        metrics=metrics,
    )


def build_live_app(settings: Settings, live: Live, metrics: Metrics) -> web.Application:
    """Return the application of live connections alone."""
    return make_live_app(live, api_settings(settings), metrics, access_log(settings))


def build_api_app(
    settings: Settings,
    stores: Stores,
    live: Live | None,
    metrics: Metrics,
    passwords: Passwords,
    *,
    require_space: Callable[[], None] = no_limit,
) -> web.Application:
    """Return the application of the API, images and pages, and of live connections if `live` is given."""
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
            access_log=access_log(settings),
        )
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
        limiter=limiter,
        new_accounts=new_account_limiter(stores.db, limiter, from_sections(SignalSettings, settings.abuse)),
        actions=build_actions(
            stores,
            tokens=tokens,
            passwords=passwords,
            limiter=limiter,
            presigner=presigner,
            refresh_ttl=section.refresh_ttl,
            policy=outbound_policy(settings),
            deletion_grace=timedelta(days=settings.accounts.deletion_grace),
            tus_ttl=timedelta(hours=settings.retention.upload_hours),
            verdict_tokens=verdict_tokens(settings),
            metrics=metrics,
        ),
        local_presigner=presigner if isinstance(presigner, LocalPresigner) else None,
        db=stores.db,
        reads=stores.reads,
        blobs=stores.blobs,
        variants=variants,
        variant_requests=VariantRequests(stores.db, stores.blobs, variants, VariantStates(stores.redis)),
        home=Home(stores.reads, stores.redis, stores.feeds, stores.cards, stores.counter_cache),
        highlights=Highlights(stores.db, stores.reads, stores.redis, stores.feeds),
        trending=Trending(stores.reads, PhotoTrends(stores.redis)),
        public_cards=PublicCards(stores.cards, stores.counter_cache),
        tag_trends=TagTrends(stores.redis),
        notification_log=stores.notification_log,
        counter_cache=stores.counter_cache,
        tickets=Tickets(stores.redis),
        media_urls=media_urls(settings),
    )


def build_actions(
    stores: Stores,
    *,
    tokens: AccessTokens,
    passwords: Passwords,
    limiter: RateLimiter,
    presigner: Presigner,
    refresh_ttl: int,
    policy: OutboundPolicy,
    deletion_grace: timedelta,
    tus_ttl: timedelta,
    verdict_tokens: VerdictTokens,
    metrics: Metrics | None = None,
) -> Actions:
    """Return the use cases; `refresh_ttl` in seconds, `policy` for addresses that users supply."""
    db = stores.db
    revoker = session_revoker(stores, tokens.ttl)
    sessions = SessionService(db, tokens, revoker, refresh_ttl=refresh_ttl)
    permissions = LivePermissions(db, stores.publisher)
    cases = case_actions(stores, revoker)
    return Actions(
        accounts=AccountActions(
            db,
            passwords,
            limiter,
            sessions,
            permissions,
            visibility=AccountVisibility(db, stores.feeds, stores.cards, permissions),
            deletion_grace=deletion_grace,
        ),
        sessions=sessions,
        collections=CollectionActions(db),
        lists=ListActions(db),
        photos=PhotoActions(db, stores.cards, permissions),
        profile_images=ProfileImageActions(db, stores.blobs),
        uploads=UploadActions(db, stores.blobs, presigner, tus_ttl=tus_ttl),
        reactions=ReactionActions(db, stores.counter_cache),
        comments=CommentActions(db, stores.counter_cache),
        relations=RelationActions(db, stores.feeds, permissions),
        suggestions=SuggestionActions(db),
        tags=TagActions(db),
        notifications=NotificationActions(db, stores.notification_log),
        presence=PresenceReader(db, stores.presence),
        last_seen=LastSeen(db),
        webhooks=WebhookActions(db, permissions, policy, SystemResolver()),
        exports=ExportActions(db),
        imports=ImportActions(db),
        reports=ReportActions(db),
        cases=cases,
        appeals=AppealActions(db, cases),
        moderation=ModerationActions(db, stores.cards, permissions, verdict_tokens, metrics=metrics),
    )


def case_actions(stores: Stores, revoker: SessionRevoker) -> CaseActions:
    """Return the use cases of moderators."""
    db, permissions = stores.db, LivePermissions(stores.db, stores.publisher)
    moderation = PhotoDecisions(db, stores.cards, permissions)
    enforcement = Enforcement(
        db, stores.cards, stores.counter_cache, moderation, revoker=revoker, permissions=permissions
    )
    return CaseActions(db, enforcement)


def session_revoker(stores: Stores, access_ttl: int) -> SessionRevoker:
    """Return the revoker of ended sessions; `access_ttl` in seconds."""
    return SessionRevoker(Tickets(stores.redis), stores.publisher, access_ttl=access_ttl)


def build_demo(stores: Stores, passwords: Passwords) -> Demo:
    """Return the demonstration community."""
    return Demo(
        stores.db,
        stores.blobs,
        passwords,
        relations=RelationActions(stores.db, stores.feeds, LivePermissions(stores.db, stores.publisher)),
        reactions=ReactionActions(stores.db, stores.counter_cache),
        comments=CommentActions(stores.db, stores.counter_cache),
    )


def rate_limiter(settings: Settings, stores: Stores) -> RateLimiter:
    """Return the rate limiter."""
    return RateLimiter(Quotas(stores.redis), from_sections(RateLimits, settings.limits))


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
    )


def worker_policy(worker: str, settings: Settings) -> Policy:
    """Return the policy with which a worker consumes its queue."""
    return from_sections(Policy, settings.worker, concurrency=settings.worker.concurrency(worker))


def worker_context(worker: str, settings: Settings, stores: Stores, metrics: Metrics | None = None) -> WorkerContext:
    """Return everything that the handlers of a worker may use."""
    section = settings.worker
    return WorkerContext(
        concurrency=section.concurrency(worker),
        db=stores.db,
        blobs=stores.blobs,
        variants=variant_registry(settings),
        cards=stores.cards,
        counter_cache=stores.counter_cache,
        feeds=stores.feeds,
        notification_log=stores.notification_log,
        publisher=stores.publisher,
        sign=media_urls(settings).sign,
        decoder_limits=DecoderLimits(
            deadline=section.decode_deadline, memory=section.decode_memory, max_pixels=settings.upload.max_pixels
        ),
        video_limits=from_sections(VideoLimits, settings.video),
        sessions=session_revoker(stores, settings.auth.access_ttl),
        stars=Stars(stores.db, stores.feeds, followers=section.star_followers, metrics=metrics),
        variant_states=VariantStates(stores.redis),
        quotas=Quotas(stores.redis),
        recent=RecentMembers(stores.redis),
        tag_trends=TagTrends(stores.redis),
        photo_trends=PhotoTrends(stores.redis),
        staff_picks=settings.discover.staff_picks,
        signals=from_sections(SignalSettings, settings.abuse),
        decoder_metrics=metrics or NoMetrics(),
        variant_metrics=metrics or NoVariantMetrics(),
        caches=cache_settings(settings, secret_bytes(settings), media_urls(settings).sign),
        circuits=stores.circuits,
        purge_metrics=metrics or NoPurgeMetrics(),
        warm_metrics=metrics or NoWarmMetrics(),
        webhooks=WebhookSettings(
            public_url=settings.public_url,
            in_flight=settings.webhooks.in_flight,
            policy=outbound_policy(settings),
        ),
        verdict_tokens=verdict_tokens(settings),
        moderation_metrics=metrics or NoModerationMetrics(),
        webhook_metrics=metrics or NoWebhookMetrics(),
        export_metrics=metrics or NoExportMetrics(),
        imports=import_settings(settings, stores, metrics),
        export_ttl=timedelta(days=settings.retention.export_days),
        finding_metrics=metrics or NoFindingMetrics(),
        outbound_metrics=metrics or NoOutboundMetrics(),
    )


def import_settings(settings: Settings, stores: Stores, metrics: Metrics | None = None) -> ImportSettings:
    """Return what imports are worked off with."""
    images, videos = from_sections(UploadLimits, settings.upload), from_sections(VideoUploadLimits, settings.video)
    intake = PostingIntake(stores.db, stores.blobs, images, videos, hold=hold_policy(settings))
    return ImportSettings(
        intake=intake,
        max_items=settings.accounts.import_photos,
        max_file_bytes=intake.max_file_bytes,
        metrics=metrics or NoImportMetrics(),
    )


def build_janitor(settings: Settings, stores: Stores, metrics: Metrics) -> Janitor:
    """Return the janitor."""
    revocations = Revocations(stores.db, stores.redis, ttl=settings.auth.access_ttl + REVOCATION_MARGIN)
    counters = CounterRepair(stores.db, stores.counter_cache, metrics)
    trends = TrendTasks(
        stores.db,
        PhotoTrends(stores.redis),
        TagTrends(stores.redis),
        metrics,
        excluded=settings.discover.excluded_tags,
    )
    kept = settings.retention
    permissions = LivePermissions(stores.db, stores.publisher)
    decisions = PhotoDecisions(stores.db, stores.cards, permissions, metrics=metrics)
    webhooks = WebhookRetention(
        stores.db, payload_days=settings.webhooks.payload_days, log_days=settings.webhooks.log_days
    )
    return Janitor(
        stores.db,
        stores.blobs,
        revocations,
        counters,
        metrics,
        unused_days=settings.media.unused_days,
        key_ttl=timedelta(hours=kept.idempotency_hours),
        more=[
            *trends.tasks(),
            *StarMeasures(stores.db, StarReport(stores.redis), metrics).tasks(),
            *webhooks.tasks(),
            *ExportRetention(stores.db, stores.blobs, kept=timedelta(days=kept.export_log_days)).tasks(),
            *ImportRetention(stores.db, stores.blobs, kept=timedelta(days=kept.import_log_days)).tasks(),
            *Retention(
                stores.db, notification_days=kept.notification_days, dead_letter_days=kept.dead_letter_days
            ).tasks(),
            *HoldTasks(stores.db, decisions, hold_policy(settings), metrics).tasks(),
            *CaseTasks(stores.db, stores.cards, metrics).tasks(),
            *AbuseTasks(stores.db, metrics, findings_days=settings.abuse.findings_days).tasks(),
        ],
    )
