"""Keys of the settings: each with its unit and default, in the sections of `config.toml`.

The description of a key is its documentation (`docs/configuration.md`). Each default is written once: where the
configured part can be used without these settings, its own dataclass has the default and the key refers to it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationInfo, create_model, field_validator

from channels.contract.settings import LiveSettings
from server.config.section import Networks, Origins, Rate, Section, Texts
from storage.embedded.disk_space import RESERVE
from storage.postgres.address import SCHEMES, require_one_server, server_name, server_urls
from storage.postgres.replication import MAX_LAG
from storage.redis.address import ABSENT, CLUSTER_SCHEMES, cluster_nodes, is_cluster
from workers.broker import amqp_address
from workers.broker.port import Policy
from workers.images.limits import DecoderLimits
from workers.registry import WORKERS

S = TypeVar("S", bound=Section)
SECRET_LENGTH = 32  # characters; an HS256 key must be at least as long as the hash (RFC 7518, section 3.2)

_LIVE = LiveSettings()
_DECODER = DecoderLimits()


def _with_scheme(value: str, schemes: tuple[str, ...]) -> str:
    if not value.startswith(schemes):
        raise ValueError(f"it should begin with {' or '.join(schemes)}")
    return value


class ServerSection(Section):
    """The address of the service, the proxies in front of it, and the shutdown of a process."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` is every IPv4 interface.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on; 0 selects a free port.")
    public_url: str | None = Field(
        default=None,
        description="URL of the service for its users, as `https://photos.example.com`; with https, cookies are "
        "Secure, and passkeys belong to its domain. If it is not set, `http://<host>:<port>`.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate and its chain: the service then uses TLS itself. It is loaded again "
        "on SIGHUP, and when the file changes. See docs/operation.md.",
    )
    tls_key: Path | None = Field(
        default=None, validate_default=True, description="PEM file of the certificate's key, without a password."
    )
    allowed_origins: Origins = Field(
        default=(),
        description="Other web origins whose pages may open live connections and use the API with cookies, as "
        "`https://app.example.com`; `*` is every origin, without cookies.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks of proxies whose `X-Forwarded-For` header is trusted, as `10.0.0.0/8`.",
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        description="Seconds during shutdown from `/readyz` returning 503 until no new connection is accepted, so that "
        "load balancers notice.",
    )
    shutdown_deadline: float = Field(
        default=10.0, gt=0, description="Seconds during shutdown for requests in progress to finish."
    )

    @field_validator("public_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        return value if value is None else _with_scheme(value, ("http://", "https://")).rstrip("/")

    @field_validator("tls_certificate")
    @classmethod
    def _is_reached_by_https(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and (info.data.get("public_url") or "https://").startswith("http://"):
            raise ValueError("it should not be set, because server.public_url begins with http://")
        return value

    @field_validator("tls_key")
    @classmethod
    def _belongs_to_a_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_certificate") is None):
            raise ValueError("server.tls_certificate and server.tls_key should be set together")
        return value


class DataSection(Section):
    """The location of the embedded engines' data and of the generated secret, and the space that is kept there."""

    dir: Path = Field(default=Path("data"), description="Directory of all data of `picshare run`.")
    reserve: int = Field(
        default=RESERVE,
        ge=0,
        description="Bytes that `picshare run` keeps on the data directory's disk, but at most an eighth of the disk. "
        "When the rest is used up, uploads, comments, likes, follows and sign-ups get 507, and the reserve is used for "
        "reading and deleting. 0 keeps nothing.",
    )


class AuthSection(Section):
    """Tokens and passwords."""

    secret: SecretStr | None = Field(
        default=None,
        description="Key that signs tokens and URLs of private images: at least 32 characters, the same in every "
        "process. `picshare run` generates one in `<data.dir>/secret`; separate roles require it here.",
    )
    access_ttl: int = Field(default=900, ge=10, description="Lifetime of an access token in seconds.")
    refresh_ttl: int = Field(default=2_592_000, ge=60, description="Lifetime of a refresh token in seconds (30 days).")
    hash_memory: int = Field(
        default=64,
        ge=19,
        le=4096,
        description="Memory for the hash of a password in MiB. If this or `hash_passes` changes, the hash of an "
        "account is renewed at its next sign-in.",
    )
    hash_passes: int = Field(default=3, ge=2, le=100, description="Passes over that memory (argon2id, RFC 9106).")
    hash_concurrency: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Passwords hashed at once by one process, with `hash_memory` each.",
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
        "`postgresql://user:password@host/db` uses an existing one. If there are several hosts, as `host1,host2`, the "
        "one that accepts writes is used.",
    )
    pooler: Literal["none", "transaction"] = Field(
        default="none",
        description="`transaction` if `url` leads to a pooler such as pgbouncer in transaction mode, where each "
        "transaction may get another session.",
    )
    direct_url: str | None = Field(
        default=None,
        validate_default=True,
        description="URL of the server itself, for what needs a session of its own: migrations, "
        "and the embedded broker's notifications and claims. Required with a pooler; without one it is `url`.",
    )
    pool_min: int = Field(default=2, ge=1, description="Connections that a process keeps open.")
    pool_max: int = Field(
        default=16,
        ge=2,
        description="Maximum number of connections of a process, 2 or more: a change of an inbox takes two.",
    )
    replicas: Texts = Field(
        default=(),
        description="URLs of standbys that answer reads of pages, each of one server without a pooler or load balancer "
        "in between. A user's reads go there once the user's own writes have arrived. May include the servers of "
        "`url`: the one that is the primary is left out.",
    )
    replica_max_lag: float = Field(
        default=2.0,
        gt=0,
        le=MAX_LAG,
        description="Seconds by which a replica may lag; beyond that it gets no reads until it has caught up.",
    )
    carried_positions: bool = Field(
        default=False,
        description="Whether clients carry the position of their last write, in a cookie and a header field, so that "
        "replicas in another region answer their reads. The same in every process of all regions.",
    )
    stale_reads: float = Field(
        default=300.0,
        ge=0,
        description="Seconds for which replicas go on answering reads while the primary is away; with 0 they stop.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if _with_scheme(value, ("embedded:", *SCHEMES)).startswith(SCHEMES):
            server_urls(value)  # raises an error that says what is wrong
        return value

    @field_validator("pooler")
    @classmethod
    def _is_outside(cls, value: str, info: ValidationInfo) -> str:
        if value != "none" and info.data.get("url", "").startswith("embedded:"):
            raise ValueError('it should be "none", because database.url is "embedded:"')
        return value

    @field_validator("direct_url")
    @classmethod
    def _leads_past_the_pooler(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            if info.data.get("pooler") == "transaction":
                raise ValueError('it should be the URL of the server itself, because database.pooler is "transaction"')
            return None
        if info.data.get("url", "").startswith("embedded:"):
            raise ValueError('it should not be set, because database.url is "embedded:"')
        server_urls(_with_scheme(value, SCHEMES))  # raises an error that says what is wrong
        return value

    @field_validator("replicas")
    @classmethod
    def _are_single_servers(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("url", "").startswith("embedded:"):
            raise ValueError('it should be empty, because database.url is "embedded:"')
        for url in value:
            require_one_server(_with_scheme(url, SCHEMES))
        if len({server_name(server_urls(url)[0]) for url in value}) < len(value):
            raise ValueError("it should name each server once")
        return value

    @property
    def session_url(self) -> str:
        """The URL for what needs a session of its own."""
        return self.direct_url or self.url


class RedisSection(Section):
    """Redis or Valkey."""

    url: str = Field(
        default="embedded:",
        description="`embedded:` starts a private Valkey in the data directory; `redis://`, `rediss://` (TLS) or "
        "`unix://` uses an existing server; `redis+cluster://host:port,host:port` or `rediss+cluster://` a cluster: "
        "name two or three of its nodes, the others are discovered. The database must belong to PicShare alone: it is "
        "flushed when the server returns with data that may be stale, after a restart from a snapshot or a failover. "
        "`none:` lets the role api-read do without, in a region that only reads.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if is_cluster(value):
            cluster_nodes(value)  # raises an error that says what is wrong
        return _with_scheme(value, ("embedded:", "redis://", "rediss://", "unix://", *CLUSTER_SCHEMES, ABSENT))


class BrokerSection(Section):
    """The message broker, which delivers events to the workers."""

    url: str = Field(
        default="local:",
        description="`local:` delivers events through the database, within one process; "
        "`amqp://user:password@host/vhost` or `amqps://` uses RabbitMQ; of a cluster, name its nodes, as "
        "`host1,host2,host3`: any of them is used, and another one when it is lost.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if _with_scheme(value, ("local:", *amqp_address.SCHEMES)).startswith(amqp_address.SCHEMES):
            amqp_address.node_urls(value)  # raises an error that says what is wrong
        return value


class UploadSection(Section):
    """Limits of uploads, and the slowest pace of every request body."""

    max_bytes: int = Field(default=25_000_000, ge=1024, description="Maximum size of an image in bytes.")
    max_pixels: int = Field(
        default=_DECODER.max_pixels, ge=10_000, description="Maximum pixels of an image (width × height)."
    )
    idle_timeout: float = Field(
        default=10.0, gt=0, description="Seconds without a byte of its body after which a request is refused."
    )
    min_rate: int = Field(
        default=8_000, gt=0, description="Minimum bytes per second of a request's body, averaged over 30 seconds."
    )


class LimitsSection(Section):
    """Rate limits, as `120/m`, `20/h` or `10/5m`; a request that exceeds its limit gets status 429."""

    reads: Rate = Field(default="1200/m", description="Reads of one user.")
    writes: Rate = Field(default="240/m", description="Writes of one user that have no limit of their own.")
    likes: Rate = Field(default="600/m", description="Likes and unlikes of one user.")
    follows: Rate = Field(default="300/m", description="Follows, blocks and mutes of one user.")
    uploads: Rate = Field(default="600/h", description="Photos uploaded by one user.")
    searches: Rate = Field(default="300/m", description="Searches of one user; one while typing counts, too.")
    reports: Rate = Field(default="30/h", description="Reports of one user to the moderators.")
    new_uploads: Rate = Field(default="60/h", description="Photos uploaded by one new account; see `[abuse]`.")
    new_comments: Rate = Field(default="60/h", description="Comments of one new account.")
    new_follows: Rate = Field(default="120/h", description="Follows of one new account.")
    anonymous: Rate = Field(default="1200/m", description="Requests from one address without sign-in.")
    sign_in_account: Rate = Field(default="10/m", description="Attempts to sign in to one account.")
    sign_in_address: Rate = Field(default="300/m", description="Attempts to sign in from one address.")
    sign_up_address: Rate = Field(default="1000/h", description="New accounts from one address.")
    second_factor: Rate = Field(
        default="20/h", description="Attempts at the one-time codes and recovery codes of one account, from anywhere."
    )
    reset_account: Rate = Field(
        default="5/h", description="New passwords requested for one e-mail address, from one address."
    )
    reset_address: Rate = Field(default="60/h", description="New passwords requested from one address.")
    account_mails: Rate = Field(
        default="10/h", description="Mails about the e-mail address that one user requests, to verify or change it."
    )
    token_lookups: Rate = Field(
        default="1200/m",
        description="Access tokens of applications from one address that are looked up for the first time.",
    )
    oauth_address: Rate = Field(
        default="300/m", description="Requests for tokens of applications, and to revoke them, from one address."
    )
    new_applications: Rate = Field(
        default="60/h", description="Applications that register themselves, from one address."
    )


class LiveSection(Section):
    """Live connections."""

    ping_interval: float = Field(
        default=_LIVE.ping_interval, gt=0, description="Seconds between the pings that keep a connection alive."
    )
    pong_deadline: float = Field(
        default=_LIVE.pong_deadline,
        gt=0,
        validate_default=True,
        description="Seconds in which a client must answer a ping; less than `ping_interval`.",
    )
    connect_deadline: float = Field(
        default=_LIVE.connect_deadline, gt=0, description="Seconds in which a new connection must sign in."
    )
    write_buffer_bytes: int = Field(
        default=_LIVE.write_buffer_bytes,
        ge=65_536,
        description="Maximum of unsent bytes of one connection; beyond it the connection is closed, and the client "
        "recovers what it missed.",
    )
    connections_per_user: int = Field(
        default=_LIVE.connections_per_user, ge=1, description="Maximum of live connections of one user in each process."
    )
    connections_per_address: int = Field(
        default=_LIVE.connections_per_address,
        ge=1,
        description="Maximum of live connections from one address in each process.",
    )
    drain_seconds: float = Field(
        default=_LIVE.drain_seconds, ge=0, description="Seconds over which a stopping process closes its connections."
    )
    drain_rate: float = Field(
        default=_LIVE.drain_rate,
        gt=0,
        description="Maximum of connections that a stopping process closes per second, because all of them reconnect "
        "to other processes. With very many connections, closing takes longer than `drain_seconds`.",
    )
    presence_grace: float = Field(
        default=_LIVE.presence_grace,
        ge=0,
        le=45,
        description="Seconds after the last connection of a user ends until the user is shown as offline, because most "
        "users reconnect at once. At most 45, so that presence is correct within a minute.",
    )

    @field_validator("pong_deadline")
    @classmethod
    def _is_less_than_the_ping_interval(cls, value: float, info: ValidationInfo) -> float:
        if value >= info.data.get("ping_interval", math.inf):
            raise ValueError("it should be shorter than live.ping_interval")
        return value


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
    """Background work: images, feeds and notifications."""

    health_host: str = Field(
        default="127.0.0.1", description="Address on which a worker serves `/healthz`, `/readyz` and `/metrics`."
    )
    health_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of these endpoints; if it is not set, a worker has none."
    )
    delivery_limit: int = Field(
        default=Policy().delivery_limit, ge=1, description="Attempts at a job before it becomes a dead letter."
    )
    decode_deadline: float = Field(
        default=_DECODER.deadline, gt=0, description="Seconds in which one image must be decoded."
    )
    decode_memory: int = Field(
        default=_DECODER.memory, ge=200_000_000, description="Bytes of address space that one image decoder may use."
    )

    star_followers: int = Field(
        default=100_000,
        ge=1,
        description="Followers from which an author is a star: photos are not inserted into each follower's feed, but "
        "pulled when it is read. The author is no star any more at 0.8 of this number.",
    )

    def concurrency(self, worker: str) -> int:
        """Return the setting `<worker>_concurrency`."""
        value: int = getattr(self, f"{worker}_concurrency")
        return value


class LogSection(Section):
    """Logs, which are written to standard error."""

    level: Literal["auto", "debug", "info", "warning", "error"] = Field(
        default="auto",
        description="Lowest level that is written; `auto` is info (every request and job), but warning for "
        "`picshare run` on a terminal.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` (one object per line), `console` (for reading), or `auto`: console on a terminal, "
        "otherwise json.",
    )
