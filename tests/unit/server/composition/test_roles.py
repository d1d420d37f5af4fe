"""Roles: the services of each, and the backends it accepts."""

from __future__ import annotations

import pytest

from server.composition.roles import (
    EVERYTHING,
    RELAY,
    SERVE_ROLES,
    SERVICES,
    WORKER_ROLES,
    require_backends,
    services_of,
)
from server.config.settings import Settings
from server.errors import ConfigError
from tests.unit.server.composition.shared_backends import shared


@pytest.mark.parametrize("role", [EVERYTHING, *sorted({*SERVE_ROLES, *WORKER_ROLES} - {"api-read"})])
def test_only_a_process_that_reads_replicas_may_do_without_redis(role: str) -> None:
    """The others would lose limits, streams and feeds; the error names the role and both settings."""
    far = shared().with_values("redis", url="none:").with_values("database", replicas=["postgresql://db-2/picshare"])
    require_backends("api-read", far)
    for refused, settings in ((role, far), ("api-read", far.with_values("database", replicas=[]))):
        with pytest.raises(
            ConfigError, match=r"redis\.url is .none:.*--role api-read.*database\.replicas.*PICSHARE_REDIS"
        ):
            require_backends(refused, settings)


def test_one_process_relays_events_only_to_rabbitmq() -> None:
    """The role "everything" runs every service, and the relay only if the broker is RabbitMQ."""
    assert services_of(EVERYTHING, Settings()) == SERVICES - {RELAY}
    assert services_of(EVERYTHING, shared()) == SERVICES


@pytest.mark.parametrize("role", [*SERVE_ROLES, *WORKER_ROLES])
def test_a_role_is_one_service_and_accepts_shared_backends(role: str) -> None:
    """Every other role runs its own service and the workers that run with it, and shared backends satisfy it."""
    together = {
        "api-read": {"api"},
        "api-write": {"api"},
        "media": {"media", "deferred", "variants"},
        "purge": {"purge", "forget", "warm"},
        "notify": {"notify", "abuse", "mail"},
        "webhooks": {"webhooks", "reviews", "deliver"},
        "bulk": {"bulk", "discover", "exports", "imports"},
    }
    assert services_of(role, shared()) == together.get(role, {role})
    require_backends(role, shared())


@pytest.mark.parametrize(
    ("section", "values", "key"),
    [
        ("database", {"url": "embedded:"}, "database.url"),
        ("redis", {"url": "embedded:"}, "redis.url"),
        ("broker", {"url": "local:"}, "broker.url"),
        ("auth", {"secret": None}, "auth.secret"),
    ],
)
def test_a_separate_role_requires_shared_backends(section: str, values: dict[str, object], key: str) -> None:
    """A role refuses a backend of one process and a missing secret; the error names the key and its variable."""
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")) as caught:
        require_backends("media", shared().with_values(section, **values))
    assert f"PICSHARE_{key.upper().replace('.', '__')}" in str(caught.value)
