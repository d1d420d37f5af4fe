"""The worker "bulk": what one user can cause in any amount, in batches and behind a queue of its own.

The other queues have only work of a small, bounded size, so no user's bulk work delays what others do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.events import Event, FanoutChunk
from workers.handlers import EventHandler, on
from workers.jobs.bulk.account_changes import AccountChanges
from workers.jobs.bulk.account_removal import AccountRemoval
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.feeds.fanout import FanoutHandlers, fanout_handlers
from workers.jobs.inbox.bells import BellHandlers
from workers.jobs.inbox.comments import CommentHandlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.notify import NotifyHandlers
from workers.jobs.inbox.withdrawals import Withdrawals
from workers.jobs.media.contents import ContentRemover

LONGEST_PAUSE = 0.5  # seconds


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "bulk"."""
    handlers = bulk_handlers(context, fanout_handlers(context))
    yield {topic: paced(handler) for topic, handler in handlers.items()}


def bulk_handlers(context: WorkerContext, fanout: FanoutHandlers) -> Handlers:
    """Return the handlers; `fanout` handles the photos of large fan-outs and of deleted accounts."""
    db = context.db
    inbox = Inbox(db, context.notification_log, metrics=context.inbox_metrics)
    notify = NotifyHandlers(db, inbox, context.counter_cache, context.publisher)
    comments = CommentHandlers(db, inbox, context.counter_cache, context.publisher)
    return {
        **on(FanoutChunk, fanout.chunk),
        **fanout.stars.handlers(),
        **Withdrawals(db, inbox, comments.deleted).handlers(),
        **comments.bulk_handlers(),
        **BellHandlers(db, inbox).bulk_handlers(),
        **AccountChanges(db, context.cards, context.feeds, notify).handlers(),
        **AccountRemoval(
            db, fanout, notify, comments, ContentRemover(db, context.blobs), blobs=context.blobs
        ).handlers(),
    }


def paced(handler: EventHandler) -> EventHandler:
    """Return a handler that pauses after each event for as long as the event took, at most `LONGEST_PAUSE`.

    The engines and the processor serve one request after the other, so without pauses every request of another user
    waits for a batch.
    """

    async def handle_and_pause(event: Event) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await handler(event)
        await asyncio.sleep(min(loop.time() - started, LONGEST_PAUSE))

    return handle_and_pause
