"""Request exports of accounts."""

from __future__ import annotations

from storage.exports import Export
from storage.postgres.database import Database
from storage.stores.archives import exports

QUOTA = "writes"


class ExportActions:
    """Exports of the viewer's account; they are made by the worker "exports"."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def request(self, viewer_id: int) -> Export:
        """Request an export. Raises `ConflictError`: export_in_progress, export_too_soon."""
        async with self._db.transaction() as tx:
            return await exports.create(tx, viewer_id)
