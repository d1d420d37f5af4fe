"""What the HTTP API is made of: its settings, and every store and port it talks to.

The composition root builds one `Services` and hands it to `server.composition.application.make_app`; nothing here opens
anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from channels.bus.presence_store import PresenceStore
from channels.bus.publisher import LivePublisher
from channels.live import Live
from server.edge.access_log import AccessLog, EventLog
from server.edge.client_addresses import Network
from server.edge.middleware import HttpMetrics, NoHttpMetrics
from server.identity.passwords import Passwords
from server.identity.rate_limits import RateLimits
from server.media.uploads import UploadLimits
from server.media.urls import MediaUrls
from storage.blobs.port import Blobs
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.home import Home
from storage.feeds.notification_log import NotificationLog
from storage.limits.quotas import Quotas
from storage.limits.tickets import Tickets
from storage.postgres.database import Database


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Settings of the HTTP API; durations in seconds, sizes in bytes, `secret` at least 32 bytes.

    `upload_dir` is where uploads are gathered before they become blobs: best on the blobs' file
    system. `trusted_proxies` are networks whose X-Forwarded-For is believed.
    `static_dir` None serves no web application.
    """

    secret: bytes = field(repr=False)
    upload_dir: Path
    static_dir: Path | None
    public_url: str
    access_ttl: int
    refresh_ttl: int
    ticket_ttl: int = 60
    upload: UploadLimits
    trusted_proxies: tuple[Network, ...]
    limits: RateLimits

    @property
    def secure(self) -> bool:
        """Tell whether people reach the service over HTTPS, so that cookies may demand it."""
        return self.public_url.startswith("https://")


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything the HTTP API uses; `live` is None where this process holds no live connections."""

    settings: ApiSettings
    db: Database
    blobs: Blobs
    feeds: Feeds
    home: Home
    notification_log: NotificationLog
    cards: Cards
    engagement: CounterCache
    quotas: Quotas
    tickets: Tickets
    publisher: LivePublisher
    presence: PresenceStore
    passwords: Passwords
    media_urls: MediaUrls
    live: Live | None = None
    metrics: HttpMetrics = field(default_factory=NoHttpMetrics)
    access_log: AccessLog = field(default_factory=EventLog)
