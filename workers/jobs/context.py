"""The connection between the registry of workers and the handlers: what handlers are built from, and how."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module

from channels.bus.publisher import LivePublisher
from storage.blobs.port import Blobs
from storage.blobs.variants import VariantRegistry
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.cache.variant_states import VariantStates
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.limits.quotas import Quotas
from storage.limits.recent import RecentMembers
from storage.postgres.database import Database
from storage.render.images import Sign
from workers.caches.opening import CacheSettings
from workers.caches.port import NoPurgeMetrics, PurgeMetrics
from workers.deliveries.port import DeliveryMetrics, NoDeliveryMetrics
from workers.deliveries.settings import DeliverySettings
from workers.exports.port import ExportMetrics, NoExportMetrics
from workers.handlers import EventHandler
from workers.images.limits import DecoderLimits, DecoderMetrics, NoMetrics
from workers.imports.port import ImportSettings
from workers.jobs.live.sessions import SessionRevoker
from workers.jobs.metrics import (
    FindingMetrics,
    InboxMetrics,
    ModerationMetrics,
    NoFindingMetrics,
    NoInboxMetrics,
    NoModerationMetrics,
    NoStarMetrics,
    NoVariantMetrics,
    NoWarmMetrics,
    StarMetrics,
    VariantMetrics,
    WarmMetrics,
)
from workers.mails.opening import MailSettings
from workers.mails.port import MailMetrics, NoMailMetrics
from workers.mails.tokens import MailTokens
from workers.outbound.circuits import CircuitRegistry
from workers.outbound.client import NoOutboundMetrics, OutboundMetrics
from workers.registry import WorkerSpec
from workers.reviewing.port import ReviewSettings
from workers.scanning.port import NoScanMetrics, ScanMetrics, ScanSettings
from workers.signals.settings import SignalSettings
from workers.videos.limits import VideoLimits
from workers.web_push.port import NoPushMetrics, PushMetrics
from workers.web_push.settings import PushSettings
from workers.webhooks.port import NoWebhookMetrics, WebhookMetrics
from workers.webhooks.settings import WebhookSettings
from workers.webhooks.verdict_tokens import VerdictTokens


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """Everything that handlers may use; the composition root builds one for each worker.

    `concurrency` is the number of jobs that the worker runs at once. An author with `star_followers` is a star.
    `sign` makes the URLs of private photos.
    A module adds to `services` what is to run as long as its worker does, under a name for logs.
    """

    concurrency: int
    db: Database
    blobs: Blobs
    variants: VariantRegistry
    cards: Cards
    counter_cache: CounterCache
    feeds: Feeds
    notification_log: NotificationLog
    publisher: LivePublisher
    sign: Sign
    decoder_limits: DecoderLimits
    sessions: SessionRevoker
    star_followers: int
    variant_states: VariantStates
    quotas: Quotas
    recent: RecentMembers
    tag_trends: TagTrends
    photo_trends: PhotoTrends
    video_limits: VideoLimits = field(default_factory=VideoLimits)
    staff_picks: Sequence[str] = ()
    signals: SignalSettings = field(default_factory=SignalSettings)
    decoder_metrics: DecoderMetrics = field(default_factory=NoMetrics)
    variant_metrics: VariantMetrics = field(default_factory=NoVariantMetrics)
    caches: CacheSettings = field(default_factory=CacheSettings)
    circuits: CircuitRegistry = field(default_factory=CircuitRegistry)
    purge_metrics: PurgeMetrics = field(default_factory=NoPurgeMetrics)
    warm_metrics: WarmMetrics = field(default_factory=NoWarmMetrics)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    verdict_tokens: VerdictTokens = field(default_factory=lambda: VerdictTokens(secrets.token_bytes(32)))
    moderation_metrics: ModerationMetrics = field(default_factory=NoModerationMetrics)
    webhook_metrics: WebhookMetrics = field(default_factory=NoWebhookMetrics)
    export_metrics: ExportMetrics = field(default_factory=NoExportMetrics)
    star_metrics: StarMetrics = field(default_factory=NoStarMetrics)
    finding_metrics: FindingMetrics = field(default_factory=NoFindingMetrics)
    deliveries: DeliverySettings = field(default_factory=DeliverySettings)
    delivery_metrics: DeliveryMetrics = field(default_factory=NoDeliveryMetrics)
    inbox_metrics: InboxMetrics = field(default_factory=NoInboxMetrics)
    outbound_metrics: OutboundMetrics = field(default_factory=NoOutboundMetrics)
    review: ReviewSettings | None = None
    scan: ScanSettings | None = None
    scan_metrics: ScanMetrics = field(default_factory=NoScanMetrics)
    imports: ImportSettings | None = None
    push: PushSettings | None = None
    push_metrics: PushMetrics = field(default_factory=NoPushMetrics)
    export_ttl: timedelta = timedelta(days=7)
    mail: MailSettings = field(default_factory=MailSettings)
    mail_tokens: MailTokens = field(default_factory=lambda: MailTokens(secrets.token_bytes(32)))
    mail_metrics: MailMetrics = field(default_factory=NoMailMetrics)
    services: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


Handlers = Mapping[str, EventHandler]  # topic -> handler
OpenHandlers = Callable[[WorkerContext], AbstractAsyncContextManager[Handlers]]


@asynccontextmanager
async def open_handlers(spec: WorkerSpec, context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of a worker, and close what they hold on leaving.

    Raises `ValueError` if their topics are not the topics that the registry gives the queue: an event without a
    handler would end as a dead letter, and a handler without a binding would never run.
    """
    factory: OpenHandlers = import_module(spec.module).open_handlers
    topics = {*spec.topics, *spec.former_topics}
    async with factory(context) as handlers:
        if set(handlers) != topics:
            difference = ", ".join(sorted(set(handlers) ^ topics))
            raise ValueError(f"the topics of the worker {spec.name} and of its handlers differ: {difference}")
        yield handlers
