"""The broker of a URL: its scheme selects the adapter, which alone is imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from server.config import Settings
from storage.database import Database
from workers import routing
from workers.broker import Broker

LOCAL = "local:"


def is_local(settings: Settings) -> bool:
    """Tell whether events stay in the outbox until a worker of this process took them."""
    return settings.broker.url.startswith(LOCAL)


def routes_of(settings: Settings) -> Callable[[str], Sequence[str]]:
    """Return which outbox queues a topic goes to: the workers' own, or the relay's."""
    return routing.queues_of if is_local(settings) else routing.relay_of


@asynccontextmanager
async def open_broker(settings: Settings, *, messages_at_once: int = 1) -> AsyncIterator[Broker]:
    """Open the broker and close it on leaving; `messages_at_once` over all its queues sizes the local one's pool."""
    if is_local(settings):
        from workers.broker_local import LocalBroker  # noqa: PLC0415 - one adapter a process

        # A claim holds its connection while the handler runs, and each queue one more to listen and look.
        connections = messages_at_once + 2 * len(routing.QUEUES)
        db = await Database.connect(
            settings.database.url, routes=routing.queues_of, min_size=1, max_size=max(2, connections)
        )
        try:
            yield LocalBroker(db)
        finally:
            await db.close()
        return
    from workers.broker_rabbitmq import RabbitBroker  # noqa: PLC0415 - one adapter a process

    broker = RabbitBroker(settings.broker.url)
    try:
        yield broker
    finally:
        await broker.close()
