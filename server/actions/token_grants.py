"""Give applications tokens, for a code, a refresh token or themselves, and take them back (RFC 6749, 7009, 7662)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from server.actions.sessions import SessionService
from server.identity.api_tokens import Find
from server.identity.errors import OAuthError, SecretReusedError
from server.identity.opaque_tokens import TokenKind, digest, new_token, shard_in
from server.identity.pkce import is_proof
from server.identity.scopes import DESCRIPTIONS, MODERATION, is_within
from storage import ids
from storage.api_tokens import FoundToken
from storage.errors import NotFoundError
from storage.oauth import Application, AuthorizationCode
from storage.postgres.database import Database, Transaction
from storage.stores.credentials import api_tokens, oauth_clients, oauth_codes, sessions
from storage.stores.credentials.api_tokens import NewToken

ACCESS_TTL = timedelta(hours=1)  # of an application that refreshes its tokens
REFRESH_TTL = timedelta(days=90)
OWN_TTL = timedelta(days=30)  # of a token that acts for no user

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedTokens:
    """Tokens for an application; `expires_in` in seconds, None if the access token does not expire."""

    access: str
    scopes: Sequence[str]
    refresh: str | None = None
    expires_in: int | None = None
    created_at: datetime


class TokenGrants:
    """Tokens of applications. Every error that an application has made is an `OAuthError`."""

    def __init__(self, db: Database, service: SessionService, find: Find) -> None:
        self._db = db
        self._sessions = service
        self._find = find

    async def authenticate(self, client_id: str, secret: str | None) -> Application:
        """Return an application by its id, and its secret if it has one; raise `OAuthError` invalid_client."""
        try:
            application = await oauth_clients.working(self._db, ids.decode(client_id))
        except (ids.BadIdError, NotFoundError) as error:
            raise OAuthError("invalid_client", "There is no such application.") from error
        expected = application.secret_sha256
        # Of digests of equal length, in constant time. A public application that sends one has mixed something up.
        right = (
            secret is None if expected is None else secret is not None and hmac.compare_digest(digest(secret), expected)
        )
        if not right:
            raise OAuthError("invalid_client", "The secret of the application is missing or wrong.")
        return application

    async def by_code(
        self, application: Application, code: str, *, redirect_uri: str | None, verifier: str | None
    ) -> IssuedTokens:
        """Exchange a code, once. A second exchange ends the tokens of the first one (RFC 9700, section 2.1.1)."""
        shard = shard_in(code, TokenKind.CODE)
        if shard is None:
            raise OAuthError("invalid_grant", "The code is not valid.")
        sha256, replayed = digest(code), None
        async with self._db.transaction() as tx:
            found = await oauth_codes.lock(tx, shard=shard, sha256=sha256)
            # Another application must not be able to end the tokens of this one.
            if found is None or found.client_id != application.id:
                raise OAuthError("invalid_grant", "The code is not valid, or was given to another application.")
            if found.used:
                replayed = found.session
                if replayed is not None:
                    await sessions.revoke(tx, found.user_id, replayed)
            else:
                _check_exchange(found, redirect_uri, verifier)
                issued, token = self._new(application, shard, found.scopes)
                session = await self._open(tx, found.user_id, token)
                await oauth_codes.use(tx, shard=shard, sha256=sha256, session=session)
                return issued
        if replayed is not None:
            log.warning("oauth_code_reused", application=ids.encode(application.id), session=replayed)
            await self._sessions.revoke(found.user_id, [replayed])
        raise SecretReusedError("The code was exchanged before.")

    async def by_refresh_token(
        self, application: Application, refresh: str, *, scopes: Sequence[str] | None
    ) -> IssuedTokens:
        """Exchange a refresh token for new tokens, once. A second exchange ends them all, as it does for sessions."""
        shard = shard_in(refresh, TokenKind.REFRESH)
        if shard is None:
            raise OAuthError("invalid_grant", "The refresh token is not valid.")
        sha256 = digest(refresh)
        async with self._db.transaction() as tx:
            found = await api_tokens.lock_refreshable(tx, shard=shard, refresh_sha256=sha256)
            if found is None or found.client_id != application.id or not found.valid:
                raise OAuthError("invalid_grant", "The refresh token is not valid any more.")
            if not found.used:
                if scopes is not None and set(scopes) != set(found.scopes):
                    raise OAuthError("invalid_scope", "A refresh keeps the scope: leave it out.")
                issued, token = self._new(application, shard, found.scopes, refreshed=True)
                await api_tokens.refresh(tx, shard=shard, refresh_sha256=sha256, token=token)
                await oauth_clients.mark_used(tx, application.id)
                return issued
            await sessions.revoke(tx, found.user_id, found.session)
        log.warning("oauth_refresh_token_reused", application=ids.encode(application.id), session=found.session)
        await self._sessions.revoke(found.user_id, [found.session])
        raise SecretReusedError("The refresh token was used before.")

    async def for_application(self, application: Application, scopes: Sequence[str]) -> IssuedTokens:
        """Issue a token of an application's own, which acts for no user."""
        if not application.confidential:
            raise OAuthError("unauthorized_client", "An application without a secret has no token of its own.")
        if not is_within(scopes, application.scopes):
            raise OAuthError("invalid_scope", "The scope is wider than the application has registered.")
        now, access = datetime.now(UTC), new_token(TokenKind.ACCESS, ids.shard_of(application.id))
        token = NewToken(sha256=digest(access), scopes=scopes, client_id=application.id, expires_at=now + OWN_TTL)
        async with self._db.transaction() as tx:
            await api_tokens.add_for_application(tx, application.id, token)
            await oauth_clients.mark_used(tx, application.id)
        return IssuedTokens(access=access, scopes=scopes, expires_in=int(OWN_TTL.total_seconds()), created_at=now)

    async def revoke(self, application: Application, token: str) -> None:
        """End the session of a token of the application, with all of its tokens; an unknown one has ended already."""
        shard, sha256 = shard_in(token, TokenKind.ACCESS, TokenKind.REFRESH), digest(token)
        found = None if shard is None else await api_tokens.of_text(self._db, shard=shard, sha256=sha256)
        if found is None or shard is None:
            return
        if found.client_id != application.id:
            raise OAuthError("unauthorized_client", "The token belongs to another application.")
        async with self._db.transaction() as tx:
            if found.user_id is None or found.session is None:
                await api_tokens.delete(tx, shard=shard, sha256=sha256)
                return
            await sessions.revoke(tx, found.user_id, found.session)
        await self._sessions.revoke(found.user_id, [found.session])

    async def introspect(self, application: Application, token: str) -> FoundToken | None:
        """Return an access token of the application that is valid, else None (RFC 7662)."""
        shard = shard_in(token, TokenKind.ACCESS)
        if shard is None:
            return None
        try:
            found = await self._find(shard, digest(token))
        except NotFoundError:
            return None
        return found if found.client_id == application.id else None

    @staticmethod
    async def _open(tx: Transaction, user_id: int, token: NewToken) -> str:
        try:
            return await api_tokens.open_session(tx, user_id, token)
        except NotFoundError as error:
            raise OAuthError("invalid_grant", "The account was deleted or suspended.") from error

    @staticmethod
    def _new(
        application: Application, shard: int, scopes: Sequence[str], *, refreshed: bool = False
    ) -> tuple[IssuedTokens, NewToken]:
        """Return new tokens as the application gets them and as they are stored."""
        now, access = datetime.now(UTC), new_token(TokenKind.ACCESS, shard)
        # One that has a refresh token gets the next one, also if the registration was changed meanwhile.
        expires = application.refreshes or refreshed
        refresh = new_token(TokenKind.REFRESH, shard) if expires else None
        issued = IssuedTokens(
            access=access,
            scopes=scopes,
            refresh=refresh,
            expires_in=int(ACCESS_TTL.total_seconds()) if expires else None,
            created_at=now,
        )
        return issued, NewToken(
            sha256=digest(access),
            scopes=scopes,
            client_id=application.id,
            expires_at=now + ACCESS_TTL if expires else None,
            refresh_sha256=None if refresh is None else digest(refresh),
            refresh_expires_at=now + REFRESH_TTL if expires else None,
        )


def requested_scopes(text: str | None) -> tuple[str, ...] | None:
    """Return the scopes of a parameter, None without one; raise `OAuthError` invalid_scope."""
    if text is None:
        return None
    scopes = tuple(dict.fromkeys(text.split()))
    if not scopes or any(scope not in DESCRIPTIONS or scope == MODERATION for scope in scopes):
        raise OAuthError("invalid_scope", "The scope has a name that is not known.")
    return scopes


def _check_exchange(code: AuthorizationCode, redirect_uri: str | None, verifier: str | None) -> None:
    if code.expired:
        raise OAuthError("invalid_grant", "The code has expired.")
    if redirect_uri is None:
        # OAuth 2.1 leaves it out where PKCE binds the code to the request.
        if code.challenge is None:
            raise OAuthError("invalid_grant", "The redirect_uri is missing.")
    elif redirect_uri != code.redirect_uri:
        raise OAuthError("invalid_grant", "The redirect_uri is not that of the request for the code.")
    if code.challenge is None:
        # Otherwise an attacker could have removed the challenge from the request (RFC 9700, section 4.8.2).
        if verifier is not None:
            raise OAuthError("invalid_grant", "The request for the code had no code_challenge.")
    elif verifier is None or not is_proof(verifier, code.challenge):
        raise OAuthError("invalid_grant", "The code_verifier is missing or wrong.")
