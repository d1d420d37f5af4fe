"""The worker of exports in tests, and requests of users."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

from storage.blobs.keys import export_key, original_key
from storage.events import ExportRequested
from storage.exports import Export, ExportState
from storage.ids import encode
from storage.models import Photo, User
from storage.stores.archives import exports
from tests.support.community import ready_photo
from tests.support.stage import Stage
from workers.jobs.archives.exports import ExportHandlers
from workers.jobs.inbox.inbox import Inbox

URL = "https://pics.example.org"


class Exporter:
    """The worker, and requests of users."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.db = stage.database
        self.inbox = Inbox(stage.database, stage.notification_log)
        self.worker = ExportHandlers(stage.database, stage.blobs, self.inbox, public_url=URL)

    async def request(self, user: User) -> ExportRequested:
        """Request an export and return its event."""
        async with self.db.transaction() as tx:
            export = await exports.create(tx, user.id)
        return ExportRequested(export_id=export.id, user_id=user.id)

    async def handle(self, event: ExportRequested) -> Export:
        """Run the job of an export, and return the export."""
        await self.worker.requested(event)
        return await exports.get(self.db, event.export_id)

    async def archive(self, event: ExportRequested) -> zipfile.ZipFile:
        """Return the archive of an export, whose checksums are right."""
        blob = await self.stage.blobs.open(archive_key(event))
        archive = zipfile.ZipFile(io.BytesIO(b"".join([chunk async for chunk in blob.chunks()])))
        assert archive.testzip() is None
        assert archive.infolist()[0].header_offset == 0
        return archive

    async def made(self, user: User) -> zipfile.ZipFile:
        """Return the archive of a new export."""
        event = await self.request(user)
        assert (await self.handle(event)).state is ExportState.READY
        return await self.archive(event)

    async def age(self, **duration: float) -> None:
        """Let all exports be so much older."""
        async with self.db.transaction() as tx:
            await tx.execute(
                "UPDATE exports SET created_at = created_at - $1::interval, expires_at = expires_at - $1::interval",
                timedelta(**duration),
            )

    async def photo(self, author: User, content: bytes = b"\xff\xd8\xff original", **fields: Any) -> Photo:
        """Create a photo with an original."""
        sha256 = hashlib.sha256(content).hexdigest()
        await self.stage.blobs.put(original_key(sha256), content, content_type="image/jpeg")
        return await ready_photo(self.db, author, sha256=sha256, **fields)


def archive_key(event: ExportRequested) -> str:
    """Return the key of the archive of an export in the blob store."""
    return export_key(encode(event.export_id))


def json_of(archive: zipfile.ZipFile, name: str) -> Any:
    """Return what a file of an archive has."""
    return json.loads(archive.read(name))
