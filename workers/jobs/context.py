"""The connection between the registry of workers and the handlers: what handlers are built from, and how."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module

from channels.bus.publisher import LivePublisher
from storage.blobs.port import Blobs
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.postgres.database import Database
from storage.render.images import Sign
from workers.handlers import EventHandler
from workers.images.limits import DecoderLimits
from workers.jobs.sessions import SessionRevoker
from workers.registry import WorkerSpec


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """Everything that handlers may use; the composition root builds one for each worker.

    `concurrency` is the number of jobs that the worker runs at once. `sign` makes the URLs of private photos.
    """

    concurrency: int
    db: Database
    blobs: Blobs
    cards: Cards
    counter_cache: CounterCache
    feeds: Feeds
    notification_log: NotificationLog
    publisher: LivePublisher
    sign: Sign
    decoder_limits: DecoderLimits
    sessions: SessionRevoker


Handlers = Mapping[str, EventHandler]  # topic -> handler
OpenHandlers = Callable[[WorkerContext], AbstractAsyncContextManager[Handlers]]


@asynccontextmanager
async def open_handlers(spec: WorkerSpec, context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of a worker, and close what they hold on leaving.

    Raises `ValueError` if their topics are not the topics that the registry gives the queue: an event without a
    handler would end as a dead letter, and a handler without a binding would never run.
    """
    factory: OpenHandlers = import_module(spec.module).open_handlers
    topics = {*spec.topics, *spec.former_topics}
    async with factory(context) as handlers:
        if set(handlers) != topics:
            difference = ", ".join(sorted(set(handlers) ^ topics))
            raise ValueError(f"the topics of the worker {spec.name} and of its handlers differ: {difference}")
        yield handlers
