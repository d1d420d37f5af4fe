"""What one person may know of another's presence."""

from __future__ import annotations

from channels.bus.presence_store import PresenceStore
from channels.contract.ports import Presence
from storage.postgres.database import Queryable
from storage.stores import relations


class PresenceReader:
    """Tell how people stand, to those whom they let know; the database decides, Redis knows."""

    def __init__(self, db: Queryable, book: PresenceStore) -> None:
        self._db = db
        self._book = book

    async def of(self, user_id: int, *, viewer_id: int | None) -> Presence | None:
        """Return a person's presence, or None where it is not the viewer's to know.

        Raises `UnavailableError` or `LiveUnavailableError`, by the engine that does not answer.
        """
        if not await relations.may_see_presence(self._db, viewer_id, user_id):
            return None
        return await self._book.read(user_id)
