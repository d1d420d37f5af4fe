"""Read the presence of a user, where the viewer may know it."""

from __future__ import annotations

from channels.bus.presence_store import PresenceStore
from channels.contract.errors import LiveUnavailableError
from channels.contract.ports import Presence
from storage.postgres.database import Queryable
from storage.stores.social import relations


class PresenceReader:
    """Presence of users, limited to viewers with permission: PostgreSQL has the permission, Redis the presence."""

    def __init__(self, db: Queryable, store: PresenceStore) -> None:
        self._db = db
        self._store = store

    async def read(self, user_id: int, *, viewer_id: int | None) -> Presence | None:
        """Return a user's presence, or None where the viewer may not know it.

        Raises `UnavailableError` or `LiveUnavailableError`, by the engine that does not respond.
        """
        if not await relations.may_see_presence(self._db, viewer_id, user_id):
            return None
        return await self.read_permitted(user_id)

    async def if_known(self, user_id: int) -> Presence | None:
        """Return a user's presence, where the caller has checked the permission; None while Redis is away."""
        try:
            return await self.read_permitted(user_id)
        except LiveUnavailableError:
            return None

    async def read_permitted(self, user_id: int) -> Presence:
        """Return a user's presence, where the caller has checked that the viewer may know it.

        Raises `LiveUnavailableError`.
        """
        return await self._store.read(user_id)
