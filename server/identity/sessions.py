"""Begin, renew and end sessions: rows in PostgreSQL, revocations in Redis, live connections told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from server.identity.errors import RefreshTokenError
from server.identity.tokens import AccessTokens, new_refresh_token, refresh_digest
from storage.errors import NotFoundError
from storage.limits.tickets import REVOCATION_MARGIN, Tickets
from storage.models import User
from storage.postgres.database import Database, Transaction
from storage.stores import sessions, users

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenPair:
    """A session's tokens and the CSRF token for cookies."""

    access: str
    refresh: str
    csrf: str


class SessionService:
    """Open, renew and end sessions; `refresh_ttl` in seconds."""

    def __init__(
        self, db: Database, tokens: AccessTokens, tickets: Tickets, publisher: LivePublisher, *, refresh_ttl: int
    ) -> None:
        self._db = db
        self._tokens = tokens
        self._tickets = tickets
        self._publisher = publisher
        self._refresh_ttl = timedelta(seconds=refresh_ttl)

    @property
    def access_ttl(self) -> int:
        """Return the seconds that an access token lasts."""
        return self._tokens.ttl

    async def open(self, tx: Transaction, user: User) -> TokenPair:
        """Begin a session within a transaction."""
        refresh = new_refresh_token()
        session = await sessions.open(tx, user.id, token_sha256=refresh_digest(refresh), expires_at=self._expiry())
        return self._pair(user, session, refresh)

    async def renew(self, refresh: str) -> TokenPair:
        """Exchange a refresh token; raise `RefreshTokenError`, and end the session if the token was used before."""
        fresh = new_refresh_token()
        async with self._db.transaction() as tx:
            rotation = await sessions.rotate(
                tx, old_sha256=refresh_digest(refresh), new_sha256=refresh_digest(fresh), expires_at=self._expiry()
            )
        if rotation.user_id is None or rotation.session_id is None:
            raise RefreshTokenError("this refresh token is not valid; sign in again")
        if rotation.kind == "reused":
            log.warning("refresh_token_reused", session=rotation.session_id)
            await self.forget(rotation.user_id, [rotation.session_id])
        if rotation.kind != "ok":
            raise RefreshTokenError("this refresh token is not valid; sign in again")
        try:
            user = await users.get(self._db, rotation.user_id)
        except NotFoundError as error:
            raise RefreshTokenError("this account is gone") from error
        return self._pair(user, rotation.session_id, fresh)

    async def end(self, user_id: int, session: str) -> None:
        """End one session: its tokens are refused at once and its live connections close."""
        async with self._db.transaction() as tx:
            await sessions.revoke(tx, session)
        await self.forget(user_id, [session])

    async def forget(self, user_id: int, ended: Iterable[str]) -> None:
        """Refuse the access tokens of sessions that ended in the database, and close their live connections."""
        for session in ended:
            await self._tickets.revoke_session(session, user_id, ttl=self._tokens.ttl + REVOCATION_MARGIN)
            await self._publisher.to_users([user_id], control_body(control="disconnect", session=session))

    def _pair(self, user: User, session: str, refresh: str) -> TokenPair:
        access = self._tokens.issue(user_id=user.id, session=session, role=user.role)
        return TokenPair(access=access, refresh=refresh, csrf=self._tokens.csrf(session))

    def _expiry(self) -> datetime:
        return datetime.now(UTC) + self._refresh_ttl
