"""Roles: which services one process runs, and which backends that asks for."""

from __future__ import annotations

from enum import StrEnum

from server.config.loading import variable_of
from server.config.settings import Settings
from server.errors import ConfigError


class Service(StrEnum):
    """One thing that a process can do."""

    API = "api"
    LIVE = "live"
    MEDIA = "media"
    FANOUT = "fanout"
    NOTIFY = "notify"
    RELAY = "relay"
    JANITOR = "janitor"


class Role(StrEnum):
    """What a process was started as; `everything` is `picshare run`."""

    EVERYTHING = "everything"
    API = "api"
    LIVE = "live"
    MEDIA = "media"
    FANOUT = "fanout"
    NOTIFY = "notify"
    RELAY = "relay"
    JANITOR = "janitor"


_PRIVATE = {
    "database.url": ("embedded:", "the postgresql:// URL of a server that all processes share"),
    "redis.url": ("embedded:", "the redis:// or redis+cluster:// URL that all processes share"),
    "broker.url": ("local:", "the amqp:// URL of a RabbitMQ that all processes share"),
}


def services_of(role: Role, settings: Settings) -> frozenset[Service]:
    """Return what a role runs; with the local broker there is nothing to relay."""
    if role is not Role.EVERYTHING:
        return frozenset({Service(role.value)})
    relayed = frozenset() if settings.broker.url.startswith("local:") else frozenset({Service.RELAY})
    return frozenset(set(Service) - {Service.RELAY}) | relayed


def require_backends(role: Role, settings: Settings) -> None:
    """Raise `ConfigError` when a role of several processes is given a backend that only one could see."""
    if role is Role.EVERYTHING:
        return
    for key, (scheme, wanted) in _PRIVATE.items():
        section, _, name = key.partition(".")
        if getattr(getattr(settings, section), name).startswith(scheme):
            raise ConfigError(
                f'{key} is "{scheme}", which only `picshare run` can use; for the role {role.value} set it '
                f"(or {variable_of(key)}) to {wanted}."
            )
    if settings.auth.secret is None:
        raise ConfigError(
            f"auth.secret is not set; for the role {role.value} set it (or {variable_of('auth.secret')}) to the same "
            "32 or more random characters in every process."
        )
