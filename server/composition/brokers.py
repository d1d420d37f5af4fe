"""The broker of a URL: its scheme selects the adapter, which alone is imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from server.composition.schemes import is_local
from server.config.settings import Settings
from server.errors import ConfigError
from storage.postgres.database import Database
from workers.broker import routing
from workers.broker.port import Broker
from workers.broker.relay import EventPublisher


def routes_of(settings: Settings) -> Callable[[str], Sequence[str]]:
    """Return which outbox queues a topic goes to: the workers' own, or the relay's."""
    return routing.queues_of if is_local(settings) else routing.relay_of


class RelayingBroker(Broker, EventPublisher, Protocol):
    """A broker that events are carried to, rather than read from the outbox."""


@asynccontextmanager
async def open_broker(settings: Settings, *, messages_at_once: int = 1) -> AsyncIterator[Broker]:
    """Open the broker and close it on leaving; `messages_at_once` over all its queues sizes the local one's pool."""
    opened = open_local(settings, messages_at_once) if is_local(settings) else open_relaying(settings)
    async with opened as broker:
        yield broker


@asynccontextmanager
async def open_local(settings: Settings, messages_at_once: int) -> AsyncIterator[Broker]:
    """Open the broker that works the outbox."""
    from workers.broker.local import LocalBroker  # noqa: PLC0415 - one adapter a process

    # A claim holds its connection while the handler runs, and each queue one more to listen and look.
    connections = messages_at_once + 2 * len(routing.QUEUES)
    db = await Database.connect(settings.database.url, routes=routing.queues_of, min_size=1, max_size=connections)
    try:
        yield LocalBroker(db)
    finally:
        await db.close()


@asynccontextmanager
async def open_relaying(settings: Settings) -> AsyncIterator[RelayingBroker]:
    """Open RabbitMQ; raise `ConfigError` when the URL is of another broker."""
    if is_local(settings):
        raise ConfigError('broker.url is "local:", which needs no relay; give the amqp:// URL of a RabbitMQ.')
    from workers.broker.rabbitmq.broker import RabbitBroker  # noqa: PLC0415 - one adapter a process

    broker = RabbitBroker(settings.broker.url)
    try:
        yield broker
    finally:
        await broker.close()
