"""Which sessions are open, by PostgreSQL, where Redis cannot say which were revoked."""

from __future__ import annotations

from functools import partial

from storage.postgres.fallback import DatabaseFallback
from storage.stores.credentials import sessions


class OpenSessions:
    """Looks sessions up; raises `UnavailableError`."""

    def __init__(self, fallback: DatabaseFallback) -> None:
        self._fallback = fallback

    async def has(self, user_id: int, session: str) -> bool:
        """Return whether a user's session is open; `session` is from a verified token."""
        # Nothing is kept: a session that has ended is refused at once, by every process.
        return await self._fallback.read(partial(sessions.is_open, user_id=user_id, session_id=session))


class ReplicatedSessions:
    """Looks sessions up in a region that only reads; raises `UnavailableError`.

    A session that has ended is refused once the replica knows it. One that the replica does not know may be new.
    """

    def __init__(self, fallback: DatabaseFallback) -> None:
        self._fallback = fallback

    async def has(self, user_id: int, session: str) -> bool:
        """Return whether a user's session is open; `session` is from a verified token."""
        query = partial(sessions.is_open, user_id=user_id, session_id=session)
        return await self._fallback.read_page(user_id, query) or await self._fallback.confirm(query)
