"""Authorize applications: what one asks for, and the code that it gets if the user approves (RFC 6749, section 4.1).

A request that names no known application, or a redirect URI that is not registered, is never redirected. Any other
error is reported to the redirect URI, with `iss`, by which applications that use several servers tell them apart
(RFC 9207).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from server.actions import security_notices
from server.identity.clients import Client
from server.identity.errors import AuthorizationRefusedError, OAuthError
from server.identity.opaque_tokens import TokenKind, digest, new_token
from server.identity.pkce import is_challenge
from server.identity.redirect_uris import OUT_OF_BAND, is_registered, with_parameters
from server.identity.scopes import DESCRIPTIONS, is_within
from storage import ids
from storage.errors import NotFoundError
from storage.notifications import SecurityEvent
from storage.oauth import Application
from storage.postgres.database import Database
from storage.stores.credentials import oauth_clients, oauth_codes

QUOTA = "writes"
CODE_TTL = timedelta(seconds=60)
COPIED_CODE_TTL = timedelta(minutes=10)  # of one that the user copies from the page
DEFAULT_SCOPE = "read"
MAX_STATE = 2000  # characters
_MAX_PARAMETERS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorization:
    """What an application asks for; every part is valid. `challenge` is that of PKCE, if it sent one."""

    application: Application
    redirect_uri: str
    scopes: Sequence[str]
    state: str | None
    challenge: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Where the browser goes with the answer; without such an address the user copies the code, unless it is denied."""

    redirect_to: str | None
    code: str | None = None


class AuthorizationActions:
    """Authorizations of applications; `issuer` is the public URL of this service."""

    def __init__(self, db: Database, *, issuer: str) -> None:
        self._db = db
        self._issuer = issuer

    async def read(self, query: str) -> Authorization:
        """Return what a request asks for, by its query.

        Raises `OAuthError` for what only the user is informed of, else `AuthorizationRefusedError`.
        """
        given = _parameters(query)
        application = await self._application(given)
        redirect_uri = _redirect_uri(application, given)
        state = given.get("state")
        try:
            return _checked(application, redirect_uri, given)
        except OAuthError as error:
            redirect_to = self._with(redirect_uri, state, error=error.code, error_description=str(error))
            raise AuthorizationRefusedError(error.code, str(error), redirect_to) from error

    async def approve(self, user_id: int, query: str, *, client: Client) -> Answer:
        """Give the application a code, and notify the user, who approves with `client`.

        Raises what `read` raises, and `NotFoundError("user")`.
        """
        asked = await self.read(query)
        copied = asked.redirect_uri == OUT_OF_BAND
        code = new_token(TokenKind.CODE, ids.shard_of(user_id))
        async with self._db.transaction() as tx:
            await oauth_clients.mark_used(tx, asked.application.id)
            await oauth_codes.add(
                tx,
                user_id,
                sha256=digest(code),
                client_id=asked.application.id,
                redirect_uri=asked.redirect_uri,
                challenge=asked.challenge,
                scopes=asked.scopes,
                expires_at=datetime.now(UTC) + (COPIED_CODE_TTL if copied else CODE_TTL),
            )
            # An attacker with a stolen session must not be able to leave an application behind unnoticed.
            security_notices.record(tx, user_id, SecurityEvent.APPLICATION_CONNECTED, device=client.name)
        if copied:
            return Answer(redirect_to=None, code=code)
        return Answer(redirect_to=self._with(asked.redirect_uri, asked.state, code=code))

    async def deny(self, query: str) -> Answer:
        """Inform the application that the user has denied; raises what `read` raises."""
        asked = await self.read(query)
        return Answer(redirect_to=self._with(asked.redirect_uri, asked.state, error="access_denied"))

    async def _application(self, given: dict[str, str]) -> Application:
        try:
            return await oauth_clients.working(self._db, ids.decode(given.get("client_id", "")))
        except (ids.BadIdError, NotFoundError) as error:
            raise OAuthError("invalid_client", "There is no such application: client_id is not known.") from error

    def _with(self, redirect_uri: str, state: str | None, **parameters: str) -> str | None:
        if redirect_uri == OUT_OF_BAND:
            return None
        returned = {} if state is None else {"state": state}
        return with_parameters(redirect_uri, {**parameters, **returned, "iss": self._issuer})


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a request; none may be given twice (RFC 6749, section 3.1)."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise OAuthError("invalid_request", "The request has too many parameters.") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise OAuthError("invalid_request", "The request has a parameter twice.")
    # An empty parameter is one that was left out (RFC 6749, section 3.1).
    return {name: value for name, value in given.items() if value}


def _redirect_uri(application: Application, given: dict[str, str]) -> str:
    uri = given.get("redirect_uri")
    if uri is None and len(application.redirect_uris) == 1:
        return application.redirect_uris[0]
    if uri is None or not is_registered(uri, application.redirect_uris):
        raise OAuthError("invalid_request", "The redirect_uri is none that the application has registered.")
    return uri


def _checked(application: Application, redirect_uri: str, given: dict[str, str]) -> Authorization:
    state = given.get("state")
    if state is not None and len(state) > MAX_STATE:
        raise OAuthError("invalid_request", f"The state may have at most {MAX_STATE} characters.")
    if given.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "The only response_type is code.")
    if given.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "The only response_mode is query.")
    scopes = tuple(dict.fromkeys(given.get("scope", "").split())) or (DEFAULT_SCOPE,)
    if any(scope not in DESCRIPTIONS for scope in scopes):
        raise OAuthError("invalid_scope", "The scope has a name that is not known.")
    if not is_within(scopes, application.scopes):
        raise OAuthError("invalid_scope", "The scope is wider than the application has registered.")
    return Authorization(
        application=application,
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=state,
        challenge=_challenge(application, given),
    )


def _challenge(application: Application, given: dict[str, str]) -> str | None:
    challenge, method = given.get("code_challenge"), given.get("code_challenge_method")
    if challenge is None:
        # A public application has nothing else that proves that it exchanges its own code.
        if not application.confidential:
            raise OAuthError("invalid_request", "The application has no secret, so it must send a code_challenge.")
        if method is not None:
            raise OAuthError("invalid_request", "There is a code_challenge_method without a code_challenge.")
        return None
    # Without a method it would be "plain" (RFC 7636, section 4.3), which protects from nothing that reads the request.
    if method != "S256":
        raise OAuthError("invalid_request", "The only code_challenge_method is S256.")
    if not is_challenge(challenge):
        raise OAuthError("invalid_request", "The code_challenge has 43 characters of base64url, as S256 gives them.")
    return challenge
