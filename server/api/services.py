"""Settings and dependencies of the HTTP API.

The composition root builds one `Services` and passes it to `server.composition.application.make_app`; nothing here
opens a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from channels.live import Live
from server.actions.case_metrics import CaseMetrics, NoCaseMetrics
from server.actions.catalog import Actions
from server.actions.search import TIMEOUT, NoSearchMetrics, SearchMetrics
from server.api.oauth import NoOAuthMetrics, OAuthMetrics
from server.edge.access_log import AccessLog, EventLog
from server.edge.body import BodyPace
from server.edge.client_addresses import Network
from server.edge.middleware import HttpMetrics, NoHttpMetrics
from server.graphql.manifest import AcceptedDocuments
from server.graphql.metrics import GraphqlMetrics, NoGraphqlMetrics
from server.identity.api_tokens import ApiTokens
from server.identity.new_accounts import NewAccountLimiter
from server.identity.rate_limiter import RateLimiter
from server.identity.tokens import AccessTokens
from server.media.image_checks import UploadLimits
from server.media.local_uploads import LocalPresigner
from server.media.upload_metrics import NoUploadMetrics, UploadMetrics
from server.media.urls import MediaUrls
from server.media.variant_requests import VariantRequests
from server.media.variants import NoVariantMetrics, VariantMetrics
from server.media.video_checks import VideoUploadLimits
from storage.blobs.port import Blobs
from storage.blobs.variants import VariantRegistry
from storage.cache.counters import CounterCache
from storage.cache.tag_trends import TagTrends
from storage.feeds.highlights import Highlights
from storage.feeds.home import Home
from storage.feeds.home_database import DatabaseHome
from storage.feeds.notification_log import NotificationLog
from storage.feeds.public_cards import PublicCards
from storage.feeds.trending import Trending
from storage.holds import HoldPolicy
from storage.limits.tickets import Tickets
from storage.postgres.database import Database
from storage.postgres.reads import Reads


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Settings of the HTTP API; durations in seconds, sizes in bytes, `secret` at least 32 bytes.

    `upload_dir` receives uploads before they become blobs and is best on the blobs' file system. `trusted_proxies` are
    the networks whose X-Forwarded-For is trusted, `allowed_origins` other web origins whose pages may use the API. With
    `static_dir` None no web application is served. With `surrogate_keys` images have the key for their purge from CDNs.
    `hold` says which new photos are held. With `carried_positions` clients carry the position of their last write. With
    `mastodon` apps that know Mastodon's interface are served; a response to their posts waits up to `image_patience`
    seconds for the images.
    """

    secret: bytes = field(repr=False)
    upload_dir: Path
    static_dir: Path | None
    public_url: str
    access_ttl: int
    refresh_ttl: int
    ticket_ttl: int = 60
    upload: UploadLimits
    video: VideoUploadLimits
    body_pace: BodyPace
    import_bytes: int
    trusted_proxies: tuple[Network, ...]
    allowed_origins: tuple[str, ...] = ()
    surrogate_keys: bool = False
    search_timeout: float = TIMEOUT
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    carried_positions: bool = False
    mastodon: bool = True
    image_patience: float = 3.0

    @property
    def secure(self) -> bool:
        """Return whether clients use HTTPS, so that cookies may require it."""
        return self.public_url.startswith("https://")


def no_limit() -> None:
    """Assume that there is space: a write that finds none fails by itself."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Dependencies of the HTTP API: the use cases, and what its read endpoints query.

    `db` is the primary, and `reads` are those of pages, which may use a replica. `live` is None where this process has
    no live connections, `local_presigner` where the blob store receives signed uploads itself. `require_space` raises
    `FullError` while there is no space for anything new.
    """

    settings: ApiSettings
    tokens: AccessTokens
    api_tokens: ApiTokens
    limiter: RateLimiter
    new_accounts: NewAccountLimiter
    actions: Actions
    db: Database
    reads: Reads
    blobs: Blobs
    variants: VariantRegistry
    variant_requests: VariantRequests
    home: Home
    database_home: DatabaseHome
    highlights: Highlights
    trending: Trending
    public_cards: PublicCards
    tag_trends: TagTrends
    notification_log: NotificationLog
    counter_cache: CounterCache
    tickets: Tickets
    media_urls: MediaUrls
    local_presigner: LocalPresigner | None = None
    live: Live | None = None
    metrics: HttpMetrics = field(default_factory=NoHttpMetrics)
    variant_metrics: VariantMetrics = field(default_factory=NoVariantMetrics)
    case_metrics: CaseMetrics = field(default_factory=NoCaseMetrics)
    search_metrics: SearchMetrics = field(default_factory=NoSearchMetrics)
    oauth_metrics: OAuthMetrics = field(default_factory=NoOAuthMetrics)
    upload_metrics: UploadMetrics = field(default_factory=NoUploadMetrics)
    graphql_metrics: GraphqlMetrics = field(default_factory=NoGraphqlMetrics)
    graphql_documents: AcceptedDocuments = field(default_factory=AcceptedDocuments)
    access_log: AccessLog = field(default_factory=EventLog)
    require_space: Callable[[], None] = no_limit
