"""The worker "bulk": what one user can cause in any amount, in batches and behind a queue of its own.

The other queues have only work of a small, bounded size, so no user's bulk work delays what others do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.events import FanoutChunk
from workers.handlers import on
from workers.jobs.account_changes import AccountChanges
from workers.jobs.account_removal import AccountRemoval
from workers.jobs.contents import ContentRemover
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.fanout import FanoutHandlers
from workers.jobs.inbox import Inbox
from workers.jobs.notify import NotifyHandlers
from workers.jobs.withdrawals import Withdrawals


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "bulk"."""
    fanout = FanoutHandlers(
        context.db, context.feeds, context.cards, context.counter_cache, context.publisher, sign=context.sign
    )
    yield bulk_handlers(context, fanout)


def bulk_handlers(context: WorkerContext, fanout: FanoutHandlers) -> Handlers:
    """Return the handlers; `fanout` handles the photos of large fan-outs and of deleted accounts."""
    db = context.db
    notify = NotifyHandlers(db, context.notification_log, context.counter_cache, context.publisher)
    inbox = Inbox(db, context.notification_log)
    return {
        **on(FanoutChunk, fanout.chunk),
        **Withdrawals(db, inbox, notify.comment_deleted).handlers(),
        **AccountChanges(db, context.cards, context.feeds, notify).handlers(),
        **AccountRemoval(db, fanout, notify, ContentRemover(db, context.blobs)).handlers(),
    }
