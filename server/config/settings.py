"""All settings, as one frozen object.

A key is read from `PICSHARE_<SECTION>__<KEY>` in the environment, otherwise from the file, otherwise it has its default
(`server.config.loading`). `from_sections` builds the dataclass of a part from the keys with the names of its fields.
"""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from server.config.abuse import AbuseSection
from server.config.accounts import AccountsSection
from server.config.acme import AcmeSection
from server.config.auth import AuthSection
from server.config.blobs import BlobsSection
from server.config.data import DataSection
from server.config.discover import DiscoverSection
from server.config.edge import EdgeSection
from server.config.engines import BrokerSection, DatabaseSection, RedisSection
from server.config.graphql import GraphqlSection
from server.config.limits import LimitsSection
from server.config.live import LiveSection
from server.config.log import LogSection
from server.config.mail import MailSection
from server.config.mastodon import MastodonSection
from server.config.media import MediaSection
from server.config.moderation import ModerationSection
from server.config.notifications import NotificationsSection
from server.config.oidc import OidcSection
from server.config.outbound import OutboundSection
from server.config.push import PushSection
from server.config.retention import RetentionSection
from server.config.section import Section
from server.config.server import ServerSection
from server.config.tracing import TracingSection
from server.config.upload import UploadSection
from server.config.video import VideoSection
from server.config.webhooks import WebhooksSection
from server.config.worker import WorkerSection

PREFIX = "PICSHARE_"
DELIMITER = "__"


class Settings(BaseSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    server: ServerSection = ServerSection()
    acme: AcmeSection = AcmeSection()
    data: DataSection = DataSection()
    auth: AuthSection = AuthSection()
    accounts: AccountsSection = AccountsSection()
    oidc: OidcSection = OidcSection()
    retention: RetentionSection = RetentionSection()
    database: DatabaseSection = DatabaseSection()
    redis: RedisSection = RedisSection()
    broker: BrokerSection = BrokerSection()
    blobs: BlobsSection = BlobsSection()
    upload: UploadSection = UploadSection()
    media: MediaSection = MediaSection()
    video: VideoSection = VideoSection()
    edge: EdgeSection = EdgeSection()
    outbound: OutboundSection = OutboundSection()
    webhooks: WebhooksSection = WebhooksSection()
    notifications: NotificationsSection = NotificationsSection()
    push: PushSection = PushSection()
    moderation: ModerationSection = ModerationSection()
    mail: MailSection = MailSection()
    discover: DiscoverSection = DiscoverSection()
    mastodon: MastodonSection = MastodonSection()
    graphql: GraphqlSection = GraphqlSection()
    limits: LimitsSection = LimitsSection()
    abuse: AbuseSection = AbuseSection()
    live: LiveSection = LiveSection()
    worker: WorkerSection = WorkerSection()
    tracing: TracingSection = TracingSection()
    log: LogSection = LogSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only values given in code; the loader adds the environment and the file."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def public_url(self) -> str:
        """Return the URL of the service, without a slash at the end."""
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        if self.server.public_url or self.certificate_files is None:
            return self.server.public_url or f"http://{host}:{self.server.port}"
        host = self.acme.domains[0] if self.acme.domains else host
        return f"https://{host}" if self.server.port == 443 else f"https://{host}:{self.server.port}"

    @property
    def certificate_files(self) -> tuple[Path, Path] | None:
        """Return the files of the certificate and its key; None if another program ends TLS, or none does."""
        if self.acme.domains:
            folder = self.acme.storage or self.data.dir / "acme"
            return folder / "certificate.pem", folder / "key.pem"
        if self.server.tls_certificate is None or self.server.tls_key is None:
            return None
        return self.server.tls_certificate, self.server.tls_key

    def with_values(self, section: str, **values: object) -> Settings:
        """Return settings with other values for some keys of a section, validated."""
        current: Section = getattr(self, section)
        changed = type(current).model_validate({**current.model_dump(), **values})
        return self.model_copy(update={section: changed})
