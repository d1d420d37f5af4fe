"""Open, refresh and end sessions: rows in PostgreSQL, revocations in Redis, live connections closed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from channels.contract.errors import LiveUnavailableError
from server.identity.clients import Client
from server.identity.errors import RefreshTokenError
from server.identity.rate_limits import Charge
from server.identity.tokens import (
    AccessTokens,
    TokenError,
    client_digest,
    new_refresh_token,
    refresh_digest,
    refresh_token_shard,
)
from storage import ids
from storage.errors import NotFoundError, UnavailableError
from storage.models import Role, User
from storage.postgres.database import Database, Transaction
from storage.stores.credentials import session_lists, sessions
from storage.stores.credentials.session_lists import ListedSession
from workers.jobs.live.sessions import SessionRevoker

SIGN_OUT_QUOTA = "writes"
_NOT_VALID = "This refresh token is not valid. Sign in again."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenPair:
    """A session's access and refresh token, and the CSRF token for clients that keep them in cookies."""

    access: str
    refresh: str
    csrf: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A session that was opened for a user, and the rate limit that it was charged to."""

    user: User
    tokens: TokenPair
    charge: Charge


class SessionService:
    """Open, refresh and end sessions; `refresh_ttl` in seconds."""

    def __init__(self, db: Database, tokens: AccessTokens, revoker: SessionRevoker, *, refresh_ttl: int) -> None:
        self._db = db
        self._tokens = tokens
        self._revoker = revoker
        self._refresh_ttl = timedelta(seconds=refresh_ttl)

    @property
    def access_ttl(self) -> int:
        """Return how many seconds an access token is valid."""
        return self._tokens.ttl

    async def open(
        self, tx: Transaction, user: User, *, client: Client | None = None, password_hash: str | None = None
    ) -> TokenPair:
        """Open a session of a client within a transaction; its user has just been authenticated.

        `password_hash` is the one that the account had then. Raises `NotFoundError("user")` if the account was deleted
        or suspended meanwhile, or has another one now.
        """
        refresh = new_refresh_token(ids.shard_of(user.id))
        session = await sessions.open(
            tx,
            user.id,
            token_sha256=refresh_digest(refresh),
            expires_at=self._expiry(),
            device=None if client is None else client.device,
            password_hash=password_hash,
        )
        return self._pair(user.id, user.role, session, refresh)

    def restricted_token(self, user: User) -> str:
        """Return an access token for the few requests that the user of a suspended account may send.

        It belongs to no session and cannot be refreshed.
        """
        return self._tokens.issue(user_id=user.id, session=str(uuid.uuid4()), role=user.role, restricted=True)

    async def refresh(self, refresh_token: str, *, client: Client | None = None) -> TokenPair:
        """Exchange a refresh token for new tokens; without a `client` it is not known who sends it.

        Raises `RefreshTokenError`. The same client may repeat a request whose response was lost. Any other second use
        means that the token was stolen, or the new one was; the session ends.
        """
        old_sha256 = refresh_digest(refresh_token)
        shard = await self._shard(refresh_token, old_sha256)
        fresh = new_refresh_token(shard)
        async with self._db.transaction() as tx:
            rotation = await sessions.rotate(
                tx,
                shard=shard,
                old_sha256=old_sha256,
                new_sha256=refresh_digest(fresh),
                expires_at=self._expiry(),
                client=None if client is None else client_digest(client.address, client.user_agent),
                device=None if client is None else client.device,
            )
        if rotation.user_id is None or rotation.session_id is None:
            raise RefreshTokenError(_NOT_VALID)
        # RFC 9700, section 4.14.2: the server cannot know which of the two users of the token is the thief.
        if rotation.kind == "reused":
            log.warning("refresh_token_reused", session=rotation.session_id)
            await self.revoke(rotation.user_id, [rotation.session_id])
        if rotation.kind == "repeated":
            log.info("refresh_repeated", session=rotation.session_id)
        elif rotation.kind != "ok":
            raise RefreshTokenError(_NOT_VALID)
        if rotation.role is None:
            raise RefreshTokenError("This account was deleted or suspended.")
        return self._pair(rotation.user_id, rotation.role, rotation.session_id, fresh)

    async def sign_out(self, viewer_id: int, session: str) -> None:
        """End a session: its tokens are refused at once and its live connections are closed."""
        async with self._db.transaction() as tx:
            await sessions.revoke(tx, viewer_id, session)
        try:
            await self.revoke(viewer_id, [session])
        except (UnavailableError, LiveUnavailableError) as error:
            # While Redis is away, every request looks for its session in the database. The worker repeats it for the
            # event, so that it is known again when Redis is back.
            log.warning("revocation_postponed", session=session, error=str(error))

    async def active(self, user_id: int) -> list[ListedSession]:
        """Return the active sessions of a user, the one that was seen last first."""
        return await session_lists.active(self._db, user_id)

    async def end(self, user_id: int, session: str) -> None:
        """End one of the user's sessions, as `sign_out`; raise `NotFoundError("session")`."""
        async with self._db.transaction() as tx:
            if not await sessions.revoke(tx, user_id, session):
                raise NotFoundError("session")
        await self.revoke(user_id, [session])

    async def end_all(self, user_id: int, *, but: str | None = None) -> int:
        """End the sessions that the user has signed in to, except the session `but`, and return their number."""
        async with self._db.transaction() as tx:
            ended = await sessions.revoke_all(tx, user_id, but=but, by_token=False)
        await self.revoke(user_id, ended)
        return len(ended)

    async def revoke(self, user_id: int, ended: Iterable[str]) -> None:
        """Refuse the access tokens of sessions that have ended in the database, and close their live connections."""
        # After the commit: an access token stays valid until it expires, so it is also refused by its session's id.
        for session in ended:
            await self._revoker.revoke(user_id, session)

    async def _shard(self, refresh_token: str, token_sha256: bytes) -> int:
        try:
            shard = refresh_token_shard(refresh_token)
        except TokenError as error:
            raise RefreshTokenError(_NOT_VALID) from error
        if shard is None:
            shard = await sessions.shard_of_token(self._db, token_sha256)
        if shard is None:
            raise RefreshTokenError(_NOT_VALID)
        return shard

    def _pair(self, user_id: int, role: Role, session: str, refresh: str) -> TokenPair:
        access = self._tokens.issue(user_id=user_id, session=session, role=role)
        return TokenPair(access=access, refresh=refresh, csrf=self._tokens.csrf(session))

    def _expiry(self) -> datetime:
        return datetime.now(UTC) + self._refresh_ttl
