"""The worker "exports": makes the archive of an account in the blob store, and notifies its user.

An interrupted job is begun again and replaces the object. Its database transactions are short: one before the archive
is made, one afterwards.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import structlog

from storage.blobs.keys import export_key
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.events import ExportRequested
from storage.exports import Export, ExportState
from storage.ids import encode
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.archives import exports
from workers.exports.archive import AccountArchive
from workers.exports.port import ExportMetrics, NoExportMetrics
from workers.handlers import on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.inbox.inbox import Inbox

log = structlog.get_logger(__name__)

_CONTENT_TYPE = "application/zip"


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "exports"."""
    handlers = ExportHandlers(
        context.db,
        context.blobs,
        Inbox(context.db, context.notification_log, metrics=context.inbox_metrics),
        public_url=context.webhooks.public_url,
        ttl=context.export_ttl,
        metrics=context.export_metrics,
    )
    yield handlers.handlers()


class ExportHandlers:
    """Handlers of the queue "exports"; `public_url` is that of the service, `ttl` how long an archive is kept."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        inbox: Inbox,
        *,
        public_url: str,
        ttl: timedelta = exports.TTL,
        metrics: ExportMetrics | None = None,
    ) -> None:
        self._ttl = ttl
        self._db = db
        self._blobs = blobs
        self._inbox = inbox
        self._public_url = public_url
        self._metrics = metrics or NoExportMetrics()

    def handlers(self) -> Handlers:
        """Return the handler of each topic."""
        return on(ExportRequested, self.requested)

    async def requested(self, event: ExportRequested) -> None:
        """Make the archive, and make the export ready; after a repetition of its event only what is left to do."""
        async with self._db.transaction() as tx:
            export = await exports.begin(tx, event.export_id)
        if export is not None:
            await self._make(export)
        await self._end(event)

    async def _make(self, export: Export) -> None:
        started = time.monotonic()
        try:
            user = await users.get(self._db, export.user_id, viewer_id=export.user_id)
        except NotFoundError:
            return  # it was deleted just now
        archive = AccountArchive(self._db, self._blobs, user, self._public_url)
        async with aclosing(archive.chunks()) as chunks:
            await self._blobs.put(export_key(encode(export.id)), chunks, content_type=_CONTENT_TYPE)
        async with self._db.transaction() as tx:
            ready = await exports.finish(tx, export, size=archive.size, photos=archive.photos, ttl=self._ttl)
        if ready is not None:
            seconds = time.monotonic() - started
            self._metrics.export_made(seconds=seconds, size=archive.size)
            log.info(
                "export_made",
                export_id=export.id,
                photos=archive.photos,
                bytes=archive.size,
                missing=len(archive.missing),
                duration_ms=round(seconds * 1000, 1),
            )

    async def _end(self, event: ExportRequested) -> None:
        """Notify the user of a ready export; delete the object of one that is not, e.g. of a deleted account."""
        if await exports.state_of(self._db, event.export_id) is ExportState.READY:
            await self._inbox.record(
                Activity(
                    recipient_id=event.user_id,
                    kind=NotificationKind.EXPORT_READY,
                    actor_id=None,
                    source_id=event.export_id,
                )
            )
        else:
            await self._blobs.delete([export_key(encode(event.export_id))])
