"""Request imports of archives."""

from __future__ import annotations

from locales.sentences import sentence
from storage.errors import ConflictError
from storage.imports import Import
from storage.models import PhotoAudience
from storage.postgres.database import Database
from storage.stores.archives import imports
from storage.stores.photos import uploads

QUOTA = "writes"


class ImportActions:
    """Imports into the viewer's account; they are worked off by the worker "imports"."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def request(self, viewer_id: int, upload_id: int, *, audience: PhotoAudience | None) -> Import:
        """Request the import of a resumable upload; without an audience each photo has the one of its archive.

        Raises `NotFoundError("upload")`, and `ConflictError`: upload_incomplete, upload_used, import_in_progress.
        """
        upload = await uploads.get(self._db, upload_id, user_id=viewer_id)
        if upload.received < upload.bytes or not upload.parts:
            raise ConflictError(
                "upload_incomplete",
                sentence(
                    "The archive has not arrived: {received} of {bytes} bytes are here.",
                    received=upload.received,
                    bytes=upload.bytes,
                ),
            )
        async with self._db.transaction() as tx:
            return await imports.create(tx, viewer_id, upload, audience=audience)
