"""The sections `[database]`, `[redis]` and `[broker]`: the engines."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from server.config.section import Section, Texts, with_scheme
from storage.postgres.address import SCHEMES, require_one_server, server_name, server_urls
from storage.postgres.replication import MAX_LAG
from storage.redis.address import ABSENT, CLUSTER_SCHEMES, cluster_nodes, is_cluster
from workers.broker import amqp_address


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
        if with_scheme(value, ("embedded:", *SCHEMES)).startswith(SCHEMES):
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
        server_urls(with_scheme(value, SCHEMES))  # raises an error that says what is wrong
        return value

    @field_validator("replicas")
    @classmethod
    def _are_single_servers(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("url", "").startswith("embedded:"):
            raise ValueError('it should be empty, because database.url is "embedded:"')
        for url in value:
            require_one_server(with_scheme(url, SCHEMES))
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
        return with_scheme(value, ("embedded:", "redis://", "rediss://", "unix://", *CLUSTER_SCHEMES, ABSENT))


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
        if with_scheme(value, ("local:", *amqp_address.SCHEMES)).startswith(amqp_address.SCHEMES):
            amqp_address.node_urls(value)  # raises an error that says what is wrong
        return value
