"""Settings: every key, its unit and its default, in sections as they stand in `config.toml`.

A key is read from `PICSHARE_<SECTION>__<KEY>` in the environment, else from the file, else from here;
`server.config.loading` loads them. The text of a key is its documentation (`docs/configuration.md`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, create_model, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from server.config.kinds import Networks, Rate, Texts
from server.config.live_section import LiveSection
from server.config.section import Section
from storage.redis.address import CLUSTER_SCHEMES, cluster_nodes, is_cluster
from workers.registry import WORKERS

PREFIX = "PICSHARE_"
DELIMITER = "__"
S = TypeVar("S", bound=Section)
SECRET_LENGTH = 32  # characters; HS256 wants a key no shorter than its hash (RFC 7518, 3.2)


def _with_scheme(value: str, schemes: tuple[str, ...]) -> str:
    if not value.startswith(schemes):
        raise ValueError(f"it should begin with {' or '.join(schemes)}")
    return value


class ServerSection(Section):
    """The address, what stands in front of it, and how a process leaves."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` listens on every interface.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        description="What people type to reach the service, as `https://photos.example.com`; with https, cookies are "
        "Secure. Without it, `http://<host>:<port>`.",
    )
    allowed_origins: Texts = Field(
        default=(),
        description="Further web origins whose pages may open live connections and use the API with cookies.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks whose `X-Forwarded-For` is believed, as `10.0.0.0/8`.",
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        description="Seconds between `/readyz` answering 503 and the end of accepting, for balancers to notice.",
    )
    shutdown_deadline: float = Field(
        default=10.0, gt=0, description="Seconds that requests in flight and jobs get to finish when the process stops."
    )

    @field_validator("public_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        return value if value is None else _with_scheme(value, ("http://", "https://")).rstrip("/")


class DataSection(Section):
    """Where the embedded engines and generated secrets live."""

    dir: Path = Field(default=Path("data"), description="Directory of everything that `picshare run` keeps.")


class AuthSection(Section):
    """Tokens and passwords."""

    secret: SecretStr | None = Field(
        default=None,
        description="Key that signs tokens and private image addresses, at least 32 characters, the same in every "
        "process. `picshare run` makes one in `<data.dir>/secret`; separate roles need it here.",
    )
    access_ttl: int = Field(default=900, ge=10, description="Seconds that an access token is valid.")
    refresh_ttl: int = Field(default=2_592_000, ge=60, description="Seconds that a refresh token is valid (30 days).")
    hash_concurrency: int = Field(
        default=2, ge=1, le=64, description="Passwords hashed at once (64 MiB of memory each)."
    )

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_LENGTH:
            raise ValueError(f"it should have at least {SECRET_LENGTH} characters")
        return value


class DatabaseSection(Section):
    """PostgreSQL."""

    url: str = Field(
        default="embedded:",
        description="`embedded:` starts a private PostgreSQL in the data directory; "
        "`postgresql://user:password@host/db` uses one of yours.",
    )
    pool_min: int = Field(default=2, ge=1, description="Connections kept open.")
    pool_max: int = Field(default=16, ge=1, description="Most connections of one process.")

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return _with_scheme(value, ("embedded:", "postgresql://", "postgres://"))


class RedisSection(Section):
    """Redis or Valkey."""

    url: str = Field(
        default="embedded:",
        description="`embedded:` starts a private Valkey in the data directory; `redis://`, `rediss://` (TLS) or "
        "`unix://` uses one of yours, `redis+cluster://host:port,host:port` or `rediss+cluster://` a cluster: name two "
        "or three of its nodes, they tell of the others. Give PicShare a database of its own: it is emptied when the "
        "server comes back with data that may be old, from a snapshot or as a replica.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if is_cluster(value):
            cluster_nodes(value)  # which says what is wrong
        return _with_scheme(value, ("embedded:", "redis://", "rediss://", "unix://", *CLUSTER_SCHEMES))


class BrokerSection(Section):
    """What carries events to the workers."""

    url: str = Field(
        default="local:",
        description="`local:` hands events over inside the database, for one process; "
        "`amqp://user:password@host/vhost` or `amqps://` uses RabbitMQ.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return _with_scheme(value, ("local:", "amqp://", "amqps://"))


class BlobsSection(Section):
    """Where images are kept."""

    url: str = Field(
        default="file:",
        description="`file:` keeps images in `<data.dir>/blobs`, `file:/path` in a directory of yours. Separate roles "
        "need one directory that all of them share.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return _with_scheme(value, ("file:",))


class UploadSection(Section):
    """What may be uploaded."""

    max_bytes: int = Field(default=10_000_000, ge=1024, description="Largest image, in bytes.")
    max_pixels: int = Field(default=50_000_000, ge=10_000, description="Largest image, in pixels (width × height).")
    deadline: float = Field(default=60.0, gt=0, description="Seconds that the body of a request may take to arrive.")


class LimitsSection(Section):
    """Rate limits: so many requests in so long, as `120/m`, `20/h` or `10/5m`; beyond them the answer is 429."""

    reads: Rate = Field(default="1200/m", description="Reads of one person.")
    writes: Rate = Field(default="240/m", description="Writes of one person that have no limit of their own.")
    likes: Rate = Field(default="600/m", description="Likes and unlikes of one person.")
    follows: Rate = Field(default="300/m", description="Follows, blocks and mutes of one person.")
    uploads: Rate = Field(default="600/h", description="Photos of one person.")
    anonymous: Rate = Field(default="1200/m", description="Requests without sign-in from one address.")
    sign_in_account: Rate = Field(default="10/m", description="Attempts to sign in to one account.")
    sign_in_address: Rate = Field(default="300/m", description="Attempts to sign in from one address.")
    sign_up_address: Rate = Field(default="1000/h", description="New accounts from one address.")


def _with_concurrency_of_workers(section: type[S]) -> type[S]:
    """Add a key `<name>_concurrency` for each worker of the registry."""
    keys: dict[str, Any] = {
        f"{spec.name}_concurrency": (
            int,
            Field(default=spec.concurrency, ge=1, description=spec.concurrency_help),
        )
        for spec in WORKERS
    }
    return create_model(section.__name__, __base__=section, __doc__=section.__doc__, __module__=__name__, **keys)


@_with_concurrency_of_workers
class WorkerSection(Section):
    """Work that happens after the answer: images, feeds, notifications."""

    health_host: str = Field(
        default="127.0.0.1", description="Address of a worker's own `/healthz`, `/readyz`, `/metrics`."
    )
    health_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of these; without it a worker has none."
    )
    delivery_limit: int = Field(
        default=10, ge=1, description="Attempts at a job before it is put among the dead letters."
    )
    decode_deadline: float = Field(default=10.0, gt=0, description="Seconds that one image may take to decode.")
    decode_memory: int = Field(
        default=1_500_000_000, ge=200_000_000, description="Bytes of address space that the image decoder may take."
    )

    def concurrency(self, worker: str) -> int:
        """Return the setting `<worker>_concurrency`."""
        value: int = getattr(self, f"{worker}_concurrency")
        return value


class LogSection(Section):
    """Logs, on standard error."""

    level: Literal["auto", "debug", "info", "warning", "error"] = Field(
        default="auto",
        description="Least severity that is written; `auto` is info (every request and job), but warning where "
        "`picshare run` stands on a terminal.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` (one object a line), `console` (readable), or `auto`: console on a terminal.",
    )


class Settings(BaseSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    server: ServerSection = ServerSection()
    data: DataSection = DataSection()
    auth: AuthSection = AuthSection()
    database: DatabaseSection = DatabaseSection()
    redis: RedisSection = RedisSection()
    broker: BrokerSection = BrokerSection()
    blobs: BlobsSection = BlobsSection()
    upload: UploadSection = UploadSection()
    limits: LimitsSection = LimitsSection()
    live: LiveSection = LiveSection()
    worker: WorkerSection = WorkerSection()
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
        """Take values given in code only; the loader puts environment and file around them."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def public_url(self) -> str:
        """Return the address people type, without a slash at the end."""
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return self.server.public_url or f"http://{host}:{self.server.port}"

    @property
    def blob_directory(self) -> Path:
        """Return the directory of a `file:` blob store."""
        path = self.blobs.url.removeprefix("file:").removeprefix("//")
        return Path(path) if path else self.data.dir / "blobs"

    def with_values(self, section: str, **values: object) -> Settings:
        """Return settings in which some keys of a section are others, validated."""
        current: Section = getattr(self, section)
        changed = type(current).model_validate({**current.model_dump(), **values})
        return self.model_copy(update={section: changed})
