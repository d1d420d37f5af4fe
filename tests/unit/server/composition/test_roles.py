"""Roles: what each runs, and which backends it accepts."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from server.composition.brokers import open_relaying, routes_of
from server.composition.roles import Role, Service, require_backends, services_of
from server.composition.wiring import QUEUE_SERVICES, policy_of
from server.config.settings import Settings
from server.demo.story import FOLLOWS, PHOTOS, USERS
from server.errors import ConfigError
from workers.broker.routing import QUEUES


def shared() -> Settings:
    """Return settings whose backends several processes can share."""
    settings = Settings().with_values("database", url="postgresql://db/picshare")
    settings = settings.with_values("redis", url="redis://r").with_values("broker", url="amqp://mq")
    return settings.with_values("auth", secret=SecretStr("s" * 40))


def test_everything_is_every_service_but_the_relay_which_local_needs_not() -> None:
    """One process with the local broker does all but relaying; with RabbitMQ it relays as well."""
    assert services_of(Role.EVERYTHING, Settings()) == set(Service) - {Service.RELAY}
    assert services_of(Role.EVERYTHING, shared()) == set(Service)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.EVERYTHING])
def test_a_role_is_one_service_and_takes_shared_backends(role: Role) -> None:
    """Every other role runs exactly its own service, and shared backends satisfy it."""
    assert services_of(role, shared()) == {Service(role.value)}
    require_backends(role, shared())


def test_every_queue_has_a_service_and_a_policy() -> None:
    """There is a worker for each queue of the routing table, with a concurrency of its own."""
    assert {service.value for service in QUEUE_SERVICES} == set(QUEUES)
    assert [policy_of(service, Settings()).concurrency for service in QUEUE_SERVICES] == [2, 8, 16]


def test_the_broker_decides_where_the_outbox_goes() -> None:
    """With the local broker events go to the workers' queues, otherwise to the relay's."""
    assert routes_of(Settings())("like.added") == ("notify",)
    assert routes_of(shared())("like.added") == ("relay",)


async def test_relaying_needs_a_broker_to_relay_to() -> None:
    """Opening RabbitMQ with the local URL is an error that names the key."""
    with pytest.raises(ConfigError, match=r"broker\.url"):
        async with open_relaying(Settings()):
            pass


def test_the_story_is_consistent() -> None:
    """Everybody who is mentioned exists, nobody follows or likes themselves, and every photo can be described."""
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
