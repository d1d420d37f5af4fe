"""Roles: which services one process runs, and which backends each role accepts. Imports no driver.

A service is named by its role: "api", "live", each worker of the registry, "relay" and "janitor". The roles "api-read"
and "api-write" run the service "api" for some methods. The role "everything" (`picshare run`) runs all services in one
process.
"""

from __future__ import annotations

from collections.abc import Mapping

from server.config.loading import variable_of
from server.config.settings import Settings
from server.edge.methods import Methods
from server.errors import ConfigError
from storage.redis.address import ABSENT
from workers.registry import WORKERS

EVERYTHING = "everything"
API = "api"
API_READ = "api-read"
API_WRITE = "api-write"
LIVE = "live"
RELAY = "relay"
JANITOR = "janitor"

# URL schemes of the backends that only one process can use.
EMBEDDED = "embedded:"  # an engine that PicShare starts as a child process
LOCAL = "local:"  # the outbox table as the broker

# Role -> what it does, as a phrase that follows the name in help texts.
SERVE_ROLES: Mapping[str, str] = {
    API: "serves the REST API, images and web pages",
    API_READ: "serves the part of it that reads (GET, HEAD)",
    API_WRITE: "serves the rest of it",
    LIVE: "serves live connections",
}
WORKER_ROLES: Mapping[str, str] = {
    **{spec.name: spec.help for spec in WORKERS if spec.runs_with is None},
    RELAY: "publishes events from the database to RabbitMQ",
    JANITOR: "deletes expired and abandoned data",
}
SERVICES = frozenset({API, LIVE, *WORKER_ROLES, *(spec.name for spec in WORKERS)})

_METHODS = {API_READ: Methods.READS, API_WRITE: Methods.WRITES}
_PRIVATE = {
    "database.url": (EMBEDDED, "the postgresql:// URL of a server that all processes share"),
    "redis.url": (EMBEDDED, "the redis:// or redis+cluster:// URL that all processes share"),
    "broker.url": (LOCAL, "the amqp:// URL of a RabbitMQ that all processes share"),
}


def is_embedded(url: str) -> bool:
    """Return whether PicShare starts the engine of this URL."""
    return url.startswith(EMBEDDED)


def only_reads(settings: Settings) -> bool:
    """Return whether this process is in a region that only reads, without a Redis."""
    return settings.redis.url == ABSENT


def is_local(settings: Settings) -> bool:
    """Return whether the workers of this process consume the outbox directly, without a relay."""
    return settings.broker.url.startswith(LOCAL)


def services_of(role: str, settings: Settings) -> frozenset[str]:
    """Return the services that a role runs; the local broker reads the outbox itself and needs no relay."""
    if role in _METHODS:
        return frozenset({API})
    if role != EVERYTHING:
        return frozenset({role, *(spec.name for spec in WORKERS if spec.role == role)})
    return SERVICES - {RELAY} if is_local(settings) else SERVICES


def methods_of(role: str) -> Methods:
    """Return the methods of HTTP that the API of a role accepts."""
    return _METHODS.get(role, Methods.ALL)


def require_backends(role: str, settings: Settings) -> None:
    """Raise `ConfigError` if a role that shares its backends is given one that only its own process can reach.

    It is also raised if a role that writes is to do without Redis, or without replicas.
    """
    if only_reads(settings) and (role != API_READ or not settings.database.replicas):
        raise ConfigError(
            f'redis.url is "{ABSENT}", with which only `picshare serve --role {API_READ}` works, and only with '
            f"database.replicas; set it (or {variable_of('redis.url')}) to the URL of a Redis otherwise."
        )
    if role == EVERYTHING:
        return
    for key, (scheme, wanted) in _PRIVATE.items():
        section, _, name = key.partition(".")
        if getattr(getattr(settings, section), name).startswith(scheme):
            raise ConfigError(
                f'{key} is "{scheme}", which only `picshare run` can use; for the role {role} set it '
                f"(or {variable_of(key)}) to {wanted}."
            )
    if settings.auth.secret is None:
        raise ConfigError(
            f"auth.secret is not set; for the role {role} set it (or {variable_of('auth.secret')}) to the same "
            "32 or more random characters in every process."
        )
