"""End sessions: refuse their access tokens, close their live connections, and delete their push subscriptions.

The use case that ends a session calls the revoker after its commit, so that nothing waits for a worker. The worker
repeats it for the event, in case the process has died in between: an access token would stay valid until it expires.
"""

from __future__ import annotations

from collections.abc import Mapping

from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from storage.events import SessionEnded
from storage.limits.tickets import REVOCATION_MARGIN, Tickets
from storage.postgres.database import Database
from storage.stores.notifications import push_subscriptions
from workers.handlers import EventHandler, on


class SessionRevoker:
    """Revokes sessions that have ended in the database; `access_ttl` is the lifetime of an access token in seconds.

    Raises `UnavailableError` or `LiveUnavailableError`.
    """

    def __init__(self, tickets: Tickets, publisher: LivePublisher, *, access_ttl: int) -> None:
        self._tickets = tickets
        self._publisher = publisher
        self._ttl = access_ttl + REVOCATION_MARGIN

    async def revoke(self, user_id: int, session: str) -> None:
        """Refuse the session's access tokens, then close its live connections."""
        # In this order: a process that has missed the second finds the first when it repairs the user's registration.
        await self._tickets.revoke_session(session, user_id, ttl=self._ttl)
        await self._publisher.to_users([user_id], control_body(control="disconnect", session=session))


class EndedSessions:
    """Handler of the ends of sessions."""

    def __init__(self, db: Database, revoker: SessionRevoker) -> None:
        self._db = db
        self._revoker = revoker

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of the event."""
        return on(SessionEnded, self.ended)

    async def ended(self, event: SessionEnded) -> None:
        """Revoke a session once more, and delete its push subscription, which does not count any more."""
        await self._revoker.revoke(event.user_id, event.session_id)
        async with self._db.transaction(repeated=True) as tx:
            await push_subscriptions.delete_of_session(tx, event.user_id, event.session_id)
