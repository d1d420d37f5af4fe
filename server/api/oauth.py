"""`/oauth/token`, `/oauth/revoke`, `/oauth/introspect` and the metadata of the authorization server.

They have the forms of RFC 6749, 7009, 7662 and 8414 instead of those of the API: bodies are forms, and errors are
`{error, error_description}`. No cookie counts here, so no other page can act for its user.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote_plus

import orjson
from aiohttp import web

from server.actions.authorizations import DEFAULT_SCOPE
from server.actions.token_grants import IssuedTokens, TokenGrants, requested_scopes
from server.edge.api_request import ADDRESS, RESPONSE_HEADERS, json_response
from server.edge.body import BodyPace, read_limited
from server.identity.errors import OAuthError, SecretReusedError
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import rate_limit_headers
from server.identity.scopes import DESCRIPTIONS, MODERATION
from storage import ids
from storage.oauth import Application

AUTHORIZE, TOKEN, REVOKE, INTROSPECT = "/oauth/authorize", "/oauth/token", "/oauth/revoke", "/oauth/introspect"
METADATA = "/.well-known/oauth-authorization-server"
_QUOTA = "oauth_address"
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_MAX_BYTES = 16 * 1024
_MAX_PARAMETERS = 50
_PARAMETERS = {
    *("grant_type", "client_id", "client_secret", "scope"),
    *("code", "redirect_uri", "code_verifier", "refresh_token", "token"),
}
REUSED = "reused"
_METHODS = ["client_secret_basic", "client_secret_post"]

Form = Mapping[str, str]
Handle = Callable[[Application, Form], Awaitable[dict[str, Any]]]


class OAuthMetrics(Protocol):
    """Counts what applications ask the token endpoint for."""

    def oauth_done(self, *, request: str, outcome: str) -> None:
        """Record a request: a grant type, "revoke" or "introspect", or "other", and its outcome.

        The outcome is "ok", the code of the error, or `REUSED` for a code or refresh token that was exchanged twice.
        """
        ...


class NoOAuthMetrics:
    """Records nothing."""

    def oauth_done(self, *, request: str, outcome: str) -> None:
        """Do nothing."""


class OAuthRoutes:
    """Endpoints of the authorization server; `issuer` is the public URL of this service."""

    def __init__(
        self,
        grants: TokenGrants,
        limiter: RateLimiter,
        pace: BodyPace,
        *,
        issuer: str,
        metrics: OAuthMetrics | None = None,
    ) -> None:
        self._grants = grants
        self._limiter = limiter
        self._pace = pace
        self._issuer = issuer
        self._metrics = metrics or NoOAuthMetrics()
        self._by_grant: dict[str, Handle] = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh_token,
            "client_credentials": self._by_credentials,
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the route table."""
        return [
            web.post(TOKEN, self.token),
            web.post(REVOKE, self.revoke),
            web.post(INTROSPECT, self.introspect),
            web.get(METADATA, self.metadata),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Handle `POST /oauth/token`."""
        return await self._answer(request, None, self._token)

    async def revoke(self, request: web.Request) -> web.Response:
        """Handle `POST /oauth/revoke`."""
        return await self._answer(request, "revoke", self._revoke)

    async def introspect(self, request: web.Request) -> web.Response:
        """Handle `POST /oauth/introspect`."""
        return await self._answer(request, "introspect", self._introspect)

    async def metadata(self, request: web.Request) -> web.Response:
        """Handle `GET /.well-known/oauth-authorization-server`."""
        del request
        fields = {
            "issuer": self._issuer,
            "authorization_endpoint": self._issuer + AUTHORIZE,
            "token_endpoint": self._issuer + TOKEN,
            "revocation_endpoint": self._issuer + REVOKE,
            "introspection_endpoint": self._issuer + INTROSPECT,
            "app_registration_endpoint": self._issuer + "/api/v1/apps",
            "scopes_supported": [scope for scope in DESCRIPTIONS if scope != MODERATION],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(self._by_grant),
            "token_endpoint_auth_methods_supported": [*_METHODS, "none"],
            "revocation_endpoint_auth_methods_supported": [*_METHODS, "none"],
            "introspection_endpoint_auth_methods_supported": _METHODS,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "service_documentation": self._issuer + "/docs",
        }
        response = json_response(orjson.dumps(fields))
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    async def _answer(self, request: web.Request, name: str | None, handle: Handle) -> web.Response:
        charge = await self._limiter.check_address(_QUOTA, request[ADDRESS])
        request[RESPONSE_HEADERS] = rate_limit_headers(charge)
        counted = name or "other"
        try:
            form = await self._form(request)
            if name is None and form.get("grant_type") in self._by_grant:
                counted = form["grant_type"]
            fields = await handle(await self._application(request, form), form)
        except OAuthError as error:
            outcome = REUSED if isinstance(error, SecretReusedError) else error.code
            self._metrics.oauth_done(request=counted, outcome=outcome)
            return _error(request, error)
        self._metrics.oauth_done(request=counted, outcome="ok")
        response = json_response(orjson.dumps(fields))
        # RFC 6749, section 5.1.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Pragma"] = "no-cache"
        return response

    async def _form(self, request: web.Request) -> Form:
        if request.content_type not in {_FORM, _JSON}:
            raise OAuthError("invalid_request", f"Send a form: Content-Type: {_FORM}.")
        if request.rel_url.raw_query_string:
            # URLs are logged, and what is sent here is secret (RFC 6749, section 2.3.1).
            raise OAuthError("invalid_request", "Send the parameters in the body, none in the URL.")
        body = await read_limited(request, self._pace, _MAX_BYTES)
        if request.content_type == _JSON:
            return _of_json(body)
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=_MAX_PARAMETERS
            )
        except ValueError as error:
            raise OAuthError("invalid_request", "The body is not a form, or has too many parameters.") from error
        # What is not known is ignored, also twice (RFC 6749, section 3.2).
        known = [name for name, _ in pairs if name in _PARAMETERS]
        if len(set(known)) != len(known):
            raise OAuthError("invalid_request", "The body has a parameter twice.")
        return {name: value for name, value in pairs if value}

    async def _application(self, request: web.Request, form: Form) -> Application:
        """Authenticate the application by its header or its form, not by both (RFC 6749, section 2.3)."""
        header = request.headers.get("Authorization")
        if header is None:
            return await self._grants.authenticate(form.get("client_id", ""), form.get("client_secret"))
        client_id, secret = _basic(header)
        if "client_secret" in form or form.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_request", "Send the credentials of the application in one way alone.")
        return await self._grants.authenticate(client_id, secret)

    async def _token(self, application: Application, form: Form) -> dict[str, Any]:
        handle = self._by_grant.get(form.get("grant_type", ""))
        if handle is None:
            known = ", ".join(self._by_grant)
            raise OAuthError("unsupported_grant_type", f"The grant types are {known}.")
        return await handle(application, form)

    async def _by_code(self, application: Application, form: Form) -> dict[str, Any]:
        issued = await self._grants.by_code(
            application,
            _required(form, "code"),
            redirect_uri=form.get("redirect_uri"),
            verifier=form.get("code_verifier"),
        )
        return _tokens(issued)

    async def _by_refresh_token(self, application: Application, form: Form) -> dict[str, Any]:
        scopes = requested_scopes(form.get("scope"))
        return _tokens(
            await self._grants.by_refresh_token(application, _required(form, "refresh_token"), scopes=scopes)
        )

    async def _by_credentials(self, application: Application, form: Form) -> dict[str, Any]:
        scopes = requested_scopes(form.get("scope")) or (DEFAULT_SCOPE,)
        return _tokens(await self._grants.for_application(application, scopes))

    async def _revoke(self, application: Application, form: Form) -> dict[str, Any]:
        await self._grants.revoke(application, _required(form, "token"))
        return {}

    async def _introspect(self, application: Application, form: Form) -> dict[str, Any]:
        if not application.confidential:
            raise OAuthError("unauthorized_client", "An application without a secret cannot ask about tokens.")
        found = await self._grants.introspect(application, _required(form, "token"))
        if found is None:
            return {"active": False}
        fields: dict[str, Any] = {
            "active": True,
            "client_id": ids.encode(application.id),
            "scope": " ".join(found.scopes),
            "token_type": "Bearer",
            "iss": self._issuer,
        }
        if found.user_id is not None:
            fields["sub"] = ids.encode(found.user_id)
        if found.expires_at is not None:
            fields["exp"] = int(found.expires_at.timestamp())
        return fields


def _of_json(body: bytes) -> Form:
    """Return the texts of a JSON object, which apps for Mastodon send instead of a form."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise OAuthError("invalid_request", "The body is not valid JSON.") from error
    if not isinstance(fields, dict):
        raise OAuthError("invalid_request", "The body must be a JSON object.")
    return {name: value for name, value in fields.items() if isinstance(value, str) and value}


def _basic(header: str) -> tuple[str, str]:
    """Return id and secret of a header of HTTP Basic, both of which are encoded as in a form (section 2.3.1)."""
    kind, _, encoded = header.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if kind.lower() != "basic" or not colon:
        raise OAuthError("invalid_client", "Send the credentials of the application by HTTP Basic, or in the form.")
    return unquote_plus(client_id), unquote_plus(secret)


def _required(form: Form, name: str) -> str:
    value = form.get(name)
    if value is None:
        raise OAuthError("invalid_request", f"The parameter {name} is missing.")
    return value


def _tokens(issued: IssuedTokens) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "access_token": issued.access,
        "token_type": "Bearer",
        "scope": " ".join(issued.scopes),
        "created_at": int(issued.created_at.timestamp()),
    }
    if issued.expires_in is not None:
        fields["expires_in"] = issued.expires_in
    if issued.refresh is not None:
        fields["refresh_token"] = issued.refresh
    return fields


def _error(request: web.Request, error: OAuthError) -> web.Response:
    body = orjson.dumps({"error": error.code, "error_description": str(error)})
    if error.code != "invalid_client":
        return json_response(body, status=400)
    response = json_response(body, status=401)
    if "Authorization" in request.headers:
        response.headers["WWW-Authenticate"] = 'Basic realm="picshare"'
    return response
