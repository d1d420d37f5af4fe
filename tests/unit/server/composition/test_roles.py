"""Roles: the services of each, and the backends it accepts."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from server.composition.backends import open_relayed_broker, outbox_routes
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
from server.demo.story import FOLLOWS, PHOTOS, USERS
from server.errors import ConfigError


def shared() -> Settings:
    """Return settings whose backends several processes can share."""
    settings = Settings().with_values("database", url="postgresql://db/picshare")
    settings = settings.with_values("redis", url="redis://r").with_values("broker", url="amqp://mq")
    return settings.with_values("auth", secret=SecretStr("s" * 40))


def test_one_process_relays_events_only_to_rabbitmq() -> None:
    """The role "everything" runs every service, and the relay only if the broker is RabbitMQ."""
    assert services_of(EVERYTHING, Settings()) == SERVICES - {RELAY}
    assert services_of(EVERYTHING, shared()) == SERVICES


@pytest.mark.parametrize("role", [*SERVE_ROLES, *WORKER_ROLES])
def test_a_role_is_one_service_and_accepts_shared_backends(role: str) -> None:
    """Every other role runs exactly its own service, and shared backends satisfy it."""
    assert services_of(role, shared()) == {role}
    require_backends(role, shared())


def test_the_broker_decides_which_queue_the_outbox_uses() -> None:
    """With the local broker events go to the workers' queues, otherwise to the relay's."""
    assert outbox_routes(Settings())("like.added") == ("notify",)
    assert outbox_routes(shared())("like.added") == ("relay",)


async def test_the_relay_requires_rabbitmq() -> None:
    """Opening RabbitMQ with the local URL is an error that names the key."""
    with pytest.raises(ConfigError, match=r"broker\.url"):
        async with open_relayed_broker(Settings()):
            pass


def test_the_story_is_consistent() -> None:
    """Every name is that of a member, no member follows or likes themselves, and every photo has an alt text."""
    names = {member.username for member in USERS}
    assert set(FOLLOWS) == names
    for follower, followees in FOLLOWS.items():
        assert follower not in followees
        assert set(followees) <= names
    for picture in PHOTOS:
        assert {picture.author, *picture.likes, *(name for name, _ in picture.comments)} <= names
        assert picture.author not in picture.likes
        assert picture.alt_text
        assert "(Photo: " in picture.caption
