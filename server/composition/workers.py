"""Build what the workers are given."""

from __future__ import annotations

from datetime import timedelta

from server.composition.actions import session_revoker
from server.composition.backends import Stores, variant_registry
from server.composition.caches import cache_settings
from server.composition.import_intake import PostingIntake
from server.composition.outbound import mail_settings, outbound_policy, review_settings, scan_settings
from server.composition.push import push_settings
from server.composition.services import hold_policy
from server.composition.signing import mail_tokens, media_urls, secret_bytes, verdict_tokens
from server.config.section import from_sections
from server.config.settings import Settings
from server.media.image_checks import UploadLimits
from server.media.video_checks import VideoUploadLimits
from server.operation.metrics import Metrics
from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.cache.variant_states import VariantStates
from storage.feeds.star_report import StarReport
from storage.limits.quotas import Quotas
from storage.limits.recent import RecentMembers
from storage.limits.revocations import Revocations
from storage.limits.tickets import REVOCATION_MARGIN
from workers.broker.port import Policy
from workers.caches.port import NoPurgeMetrics
from workers.deliveries.port import NoDeliveryMetrics
from workers.deliveries.settings import DeliverySettings
from workers.exports.port import NoExportMetrics
from workers.images.limits import DecoderLimits, NoMetrics
from workers.imports.port import ImportSettings, NoImportMetrics
from workers.jobs.context import WorkerContext
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.metrics import (
    NoFindingMetrics,
    NoInboxMetrics,
    NoModerationMetrics,
    NoStarMetrics,
    NoVariantMetrics,
    NoWarmMetrics,
)
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.jobs.upkeep.abuse_tasks import AbuseTasks
from workers.jobs.upkeep.case_tasks import CaseTasks
from workers.jobs.upkeep.counter_repair import CounterRepair
from workers.jobs.upkeep.delivery_retention import DeliveryRetention
from workers.jobs.upkeep.export_removal import ExportRetention
from workers.jobs.upkeep.holds import HoldTasks
from workers.jobs.upkeep.import_retention import ImportRetention
from workers.jobs.upkeep.janitor import Janitor
from workers.jobs.upkeep.mail_retention import MailRetention
from workers.jobs.upkeep.retention import Retention
from workers.jobs.upkeep.star_measures import StarMeasures
from workers.jobs.upkeep.token_retention import TokenRetention
from workers.jobs.upkeep.trends import TrendTasks
from workers.jobs.upkeep.webhook_retention import WebhookRetention
from workers.mails.port import NoMailMetrics
from workers.outbound.client import NoOutboundMetrics
from workers.registry import WORKERS
from workers.scanning.port import NoScanMetrics
from workers.signals.settings import SignalSettings
from workers.videos.limits import VideoLimits
from workers.web_push.port import NoPushMetrics
from workers.webhooks.port import NoWebhookMetrics
from workers.webhooks.settings import WebhookSettings


def worker_policy(worker: str, settings: Settings) -> Policy:
    """Return the policy with which a worker consumes its queue."""
    section = settings.worker
    least = next(spec.least_deliveries for spec in WORKERS if spec.name == worker)
    return from_sections(
        Policy,
        section,
        concurrency=section.concurrency(worker),
        delivery_limit=max(section.delivery_limit, least),
    )


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
        star_followers=section.star_followers,
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
        review=review_settings(settings),
        scan=scan_settings(settings),
        scan_metrics=metrics or NoScanMetrics(),
        imports=import_settings(settings, stores, metrics),
        push=push_settings(settings),
        push_metrics=metrics or NoPushMetrics(),
        export_ttl=timedelta(days=settings.retention.export_days),
        star_metrics=metrics or NoStarMetrics(),
        finding_metrics=metrics or NoFindingMetrics(),
        deliveries=from_sections(DeliverySettings, settings.notifications),
        delivery_metrics=metrics or NoDeliveryMetrics(),
        inbox_metrics=metrics or NoInboxMetrics(),
        mail=mail_settings(settings),
        mail_tokens=mail_tokens(settings),
        mail_metrics=metrics or NoMailMetrics(),
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
            *DeliveryRetention(stores.db, kept=timedelta(days=kept.delivery_days)).tasks(),
            *ExportRetention(stores.db, stores.blobs, kept=timedelta(days=kept.export_log_days)).tasks(),
            *ImportRetention(stores.db, stores.blobs, kept=timedelta(days=kept.import_log_days)).tasks(),
            *Retention(
                stores.db, notification_days=kept.notification_days, dead_letter_days=kept.dead_letter_days
            ).tasks(),
            *MailRetention(stores.db).tasks(),
            *TokenRetention(stores.db).tasks(),
            *HoldTasks(stores.db, decisions, hold_policy(settings), metrics).tasks(),
            *CaseTasks(stores.db, stores.cards, metrics).tasks(),
            *AbuseTasks(stores.db, metrics, findings_days=settings.abuse.findings_days).tasks(),
        ],
    )
