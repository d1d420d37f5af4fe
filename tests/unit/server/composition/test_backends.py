"""Backends: the adapter that the URL of each selects."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.composition.backends import (
    describe_broker,
    open_broker,
    open_relayed_broker,
    outbox_routes,
)
from server.composition.blob_stores import blob_directory
from server.config.settings import Settings
from server.errors import ConfigError
from tests.unit.server.composition.shared_backends import shared
from workers.broker.rabbitmq.broker import RabbitBroker


def test_the_broker_decides_which_queue_the_outbox_uses() -> None:
    """With the local broker events go to the workers' queues, otherwise to the relay's."""
    assert outbox_routes(Settings())("like.added") == ("notify", "webhooks")
    assert outbox_routes(shared())("like.added") == ("relay",)


async def test_an_amqp_url_selects_rabbitmq() -> None:
    """RabbitMQ is opened without a connection, and is no part of the database."""
    async with open_broker(shared()) as broker:
        assert isinstance(broker, RabbitBroker)
    assert not describe_broker(shared()).in_database
    assert describe_broker(Settings()).in_database


async def test_the_relay_requires_rabbitmq() -> None:
    """Opening RabbitMQ with the local URL is an error that names the key."""
    with pytest.raises(ConfigError, match=r"broker\.url"):
        async with open_relayed_broker(Settings()):
            pass


@pytest.mark.parametrize(
    ("url", "directory"),
    [("file:", "data/blobs"), ("file:/srv/blobs", "/srv/blobs"), ("file:///srv/blobs", "/srv/blobs")],
)
def test_a_file_url_is_a_directory(url: str, directory: str) -> None:
    """Without a path, blobs are in the data directory; two more slashes change nothing."""
    assert blob_directory(Settings().with_values("blobs", url=url)) == Path(directory)
