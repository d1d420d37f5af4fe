"""The worker "imports": makes photos of the items of an archive, one after the other.

A job works for some time and leaves the rest to the next event, so that imports of several users take turns. The result
of an item is stored in the transaction that creates its photo. So an interrupted job goes on where it was, and a job
that runs twice creates nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import structlog

from storage.blobs.port import Blobs
from storage.errors import ConflictError, InvalidValueError, NotFoundError
from storage.events import ImportRequested
from storage.imports import Import, ImportItem, ImportItemState, ImportSource, PhotoOrigin
from storage.models import PhotoAudience
from storage.postgres.database import Database, Transaction
from storage.stores.archives import imports
from storage.stores.photos import import_items, photo_contents, uploads
from workers.handlers import on
from workers.imports.items import ArchivedPhoto
from workers.imports.port import AcceptedFile, BadArchiveError, ImportedPhoto, ImportSettings, RefusedItemError
from workers.imports.reading import ImportReader
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.media.uploads import remove_uploads

log = structlog.get_logger(__name__)

TURN = 30.0  # seconds for which one event works
_UNSTORABLE = "It has a text or a number that cannot be stored."
_GONE = "The archive is not there any more. Upload it again."


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "imports"."""
    if context.imports is None:
        raise ValueError("the worker imports needs its settings")
    yield ImportHandlers(context.db, context.blobs, context.imports).handlers()


class ImportHandlers:
    """Handlers of the queue "imports"; `turn` is the time in seconds for which one event works."""

    def __init__(self, db: Database, blobs: Blobs, settings: ImportSettings, *, turn: float = TURN) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._turn = turn

    def handlers(self) -> Handlers:
        """Return the handler of each topic."""
        return on(ImportRequested, self.requested)

    async def requested(self, event: ImportRequested) -> None:
        """Work off the next items, and emit the event again, or end the import."""
        async with self._db.transaction() as tx:
            found = await imports.begin(tx, event.import_id)
        if found is None:
            return
        try:
            done = await self._work(found)
        except BadArchiveError as error:
            await self._end(found, error=str(error))
            return
        if done:
            await self._end(found)
            return
        async with self._db.transaction() as tx:
            tx.emit(event)

    async def _work(self, found: Import) -> bool:
        """Work off items until the turn is over; return whether none is left. Raises `BadArchiveError`."""
        until = time.monotonic() + self._turn
        reader = await self._open(found)
        photos = reader.contents.photos
        if len(photos) > self._settings.max_items:
            limit = self._settings.max_items
            raise BadArchiveError(f"The archive has {len(photos):,} photos. An import may have up to {limit:,}.")
        async with self._db.transaction() as tx:
            await imports.describe(tx, found.id, source=reader.contents.source, items=len(photos))
        done = await import_items.positions(self._db, found.id)
        for position, photo in enumerate(photos, 1):
            if position in done:
                continue
            if time.monotonic() > until:
                return False
            try:
                await self._import(found, reader, position, photo)
            except NotFoundError:
                return False  # the account was deleted just now; `begin` does not find the import any more
        return True

    async def _open(self, found: Import) -> ImportReader:
        try:
            upload = await uploads.get(self._db, found.upload_id, user_id=found.user_id)
            blobs = [await self._blobs.open(key) for key in upload.parts]
        except NotFoundError as error:
            raise BadArchiveError(_GONE) from error
        return await ImportReader.open(blobs)

    async def _import(self, found: Import, reader: ImportReader, position: int, photo: ArchivedPhoto) -> None:
        item = ImportItem(position=position, name=photo.name, state=ImportItemState.IMPORTED)
        try:
            try:
                result = await self._make(found, reader, item, photo)
            except RefusedItemError as error:
                result = await self._record(found, item, ImportItemState.FAILED, str(error))
            except InvalidValueError:
                # Otherwise the job would be repeated without end, and the import with it.
                result = await self._record(found, item, ImportItemState.FAILED, _UNSTORABLE)
        except ConflictError:
            return  # another worker has this import, too, and was faster
        self._settings.metrics.item_imported(result=result)

    async def _make(
        self, found: Import, reader: ImportReader, item: ImportItem, photo: ArchivedPhoto
    ) -> ImportItemState:
        """Make the photo of an item, unless the user has it; raise `RefusedItemError` or `ConflictError`."""
        if photo.refused is not None:
            raise RefusedItemError(photo.refused)
        async with reader.files(photo, limit=self._settings.max_file_bytes) as paths:
            files = [await self._settings.intake.accept(path) for path in paths]
            if len({file.sha256 for file in files}) < len(files):
                raise RefusedItemError("It has the same picture twice.")
            if await self._has_all(found.user_id, files):
                return await self._record(found, item, ImportItemState.SKIPPED, "You have this photo already.")
            posted = _posted(found, reader.contents.source, photo, files)
            await self._settings.intake.post(posted, partial(self._add, found, item))
        return ImportItemState.IMPORTED

    async def _has_all(self, user_id: int, files: list[AcceptedFile]) -> bool:
        return all([await photo_contents.is_owner(self._db, file.sha256, user_id) for file in files])

    async def _record(self, found: Import, item: ImportItem, state: ImportItemState, reason: str) -> ImportItemState:
        result = ImportItem(position=item.position, name=item.name, state=state, reason=reason)
        async with self._db.transaction() as tx:
            await import_items.add(tx, found.id, found.user_id, result)
        return state

    async def _add(self, found: Import, item: ImportItem, tx: Transaction, photo_id: int) -> None:
        result = ImportItem(position=item.position, name=item.name, state=item.state, photo_id=photo_id)
        await import_items.add(tx, found.id, found.user_id, result)

    async def _end(self, found: Import, *, error: str | None = None) -> None:
        async with self._db.transaction() as tx:
            ended = await imports.finish(tx, found.id, error=error)
        # After the end, or a repetition would not find the archive. What is left after a crash expires.
        await remove_uploads(self._db, self._blobs, [found.upload_id])
        if ended:
            log.info("import_ended", import_id=found.id, error=error)


def _posted(found: Import, source: ImportSource, photo: ArchivedPhoto, files: list[AcceptedFile]) -> ImportedPhoto:
    pictures = [(accepted, file.alt_text) for accepted, file in zip(files, photo.files, strict=True)]
    return ImportedPhoto(
        author_id=found.user_id,
        pictures=pictures,
        caption=photo.caption,
        tags=photo.tags,
        location=photo.location,
        taken_at=photo.taken_at,
        audience=found.audience or photo.audience or PhotoAudience.FOLLOWERS,
        sensitive=photo.sensitive,
        origin=PhotoOrigin(
            import_id=found.id,
            posted_at=photo.posted_at or datetime.now(UTC),
            mentions=source is ImportSource.PICSHARE,
        ),
    )
