"""Authenticate requests by a bearer token, or by a browser's cookie with a CSRF token.

A browser attaches cookies to requests that other sites cause. So a write with a cookie must repeat in `X-CSRF-Token`
the value of a cookie that only pages of this origin can read; an HMAC binds the value to the session.
"""

from __future__ import annotations

import hmac

from aiohttp import web

from server.edge.api_request import ADDRESS, DEVICE_COOKIE, Viewer
from server.edge.problem import ProblemError, unauthorized
from server.identity import device_tokens
from server.identity.api_tokens import ApiTokens
from server.identity.errors import AccountSuspendedError
from server.identity.opaque_tokens import is_opaque
from server.identity.tokens import AccessTokens, Claims, TokenError

ACCESS_COOKIE = "picshare_access"
REFRESH_COOKIE = "picshare_refresh"
CSRF_COOKIE = "picshare_csrf"
CSRF_HEADER = "X-CSRF-Token"
REFRESH_PATH = "/api/v1/tokens"  # browsers send the refresh token to no other path
_API_PATH = "/api/v1"
_SAFE = {"GET", "HEAD", "OPTIONS"}


class RequestAuthenticator:
    """Authentication of requests by their tokens, without a look-up in Redis.

    Opaque tokens, of `api_tokens`, are looked up in PostgreSQL once in a while; without it they are refused.
    """

    def __init__(self, tokens: AccessTokens, api_tokens: ApiTokens | None = None) -> None:
        self._tokens = tokens
        self._api_tokens = api_tokens

    async def viewer(self, request: web.BaseRequest, *, restricted: bool = False) -> Viewer | None:
        """Return the signed-in user, or None; raise a 401 for an invalid token, a 403 for a missing CSRF token.

        The token of an application without a user has no viewer. Raises `AccountSuspendedError` for the token of a
        suspended account, unless `restricted` ones are accepted.
        """
        # The header takes precedence over the cookie: a browser never adds it by itself, so it needs no CSRF token.
        header = request.headers.get("Authorization")
        if header is not None:
            kind, _, token = header.partition(" ")
            if kind.lower() != "bearer":
                raise unauthorized(
                    "invalid_token", "Send the access token in the header as: Authorization: Bearer <token>."
                )
            return await self._of_header(request, token.strip(), restricted=restricted)
        cookie = request.cookies.get(ACCESS_COOKIE)
        if cookie is None:
            return None
        viewer = self._of_token(cookie, by_cookie=True, restricted=restricted)
        if request.method not in _SAFE:
            self._require_csrf_token(request, self._tokens.csrf(viewer.session))
        return viewer

    def refresh_cookie(self, request: web.BaseRequest) -> str | None:
        """Return the cookie's refresh token, or None; raise a 403 for a missing CSRF token."""
        token = request.cookies.get(REFRESH_COOKIE)
        if token is not None:
            # The session is not known yet, so the header is compared with the readable cookie.
            self._require_csrf_token(request, request.cookies.get(CSRF_COOKIE, ""))
        return token

    async def _of_header(self, request: web.BaseRequest, token: str, *, restricted: bool) -> Viewer | None:
        if self._api_tokens is None or not is_opaque(token):
            return self._of_token(token, by_cookie=False, restricted=restricted)
        try:
            claims = await self._api_tokens.verify(token, address=request[ADDRESS])
        except TokenError as error:
            raise unauthorized("invalid_token", str(error)) from error
        return None if claims is None else _viewer_of(claims, by_cookie=False)

    def _of_token(self, token: str, *, by_cookie: bool, restricted: bool) -> Viewer:
        try:
            claims = self._tokens.verify(token)
        except TokenError as error:
            code = "token_expired" if error.expired else "invalid_token"
            raise unauthorized(code, str(error)) from error
        if claims.restricted and not restricted:
            raise AccountSuspendedError
        return _viewer_of(claims, by_cookie=by_cookie)

    @staticmethod
    def _require_csrf_token(request: web.BaseRequest, expected: str) -> None:
        given = request.headers.get(CSRF_HEADER, "")
        # An empty expected value would equal a missing header.
        if not expected or not hmac.compare_digest(_bytes_of(given), _bytes_of(expected)):
            detail = f"Send the value of the cookie {CSRF_COOKIE} in the header {CSRF_HEADER}."
            raise ProblemError(403, "csrf_token_missing", detail)


class SessionCookies:
    """Session cookies of browsers; with `secure` they are sent over HTTPS alone."""

    def __init__(self, *, secure: bool, access_ttl: int, refresh_ttl: int) -> None:
        self._secure = secure
        self._access_ttl = access_ttl
        self._refresh_ttl = refresh_ttl

    def write(self, response: web.Response, *, access: str, refresh: str, csrf: str) -> None:
        """Set the cookies: the tokens, which scripts cannot read, and the CSRF token, which they must."""
        self._set(response, ACCESS_COOKIE, access, self._access_ttl, "/", hidden=True)
        self._set(response, REFRESH_COOKIE, refresh, self._refresh_ttl, REFRESH_PATH, hidden=True)
        self._set(response, CSRF_COOKIE, csrf, self._refresh_ttl, "/", hidden=False)

    def write_device(self, response: web.Response, token: str) -> None:
        """Set the token by which the browser is known; it stays when the session ends."""
        self._set(response, DEVICE_COOKIE, token, device_tokens.TTL, _API_PATH, hidden=True)

    def clear(self, response: web.StreamResponse) -> None:
        """Delete the cookies."""
        for name, path in ((ACCESS_COOKIE, "/"), (REFRESH_COOKIE, REFRESH_PATH), (CSRF_COOKIE, "/")):
            response.del_cookie(name, path=path, secure=self._secure, samesite="Lax")

    def _set(self, response: web.Response, name: str, value: str, ttl: int, path: str, *, hidden: bool) -> None:
        response.set_cookie(name, value, max_age=ttl, path=path, httponly=hidden, secure=self._secure, samesite="Lax")


def _viewer_of(claims: Claims, *, by_cookie: bool) -> Viewer:
    return Viewer(
        user_id=claims.user_id,
        user_text=claims.subject,
        session=claims.session,
        role=claims.role,
        expires_at=claims.expires_at,
        by_cookie=by_cookie,
        restricted=claims.restricted,
        scopes=claims.scopes,
        client_id=claims.client_id,
    )


def _bytes_of(text: str) -> bytes:
    # A header field may contain any bytes; those that are no UTF-8 are lone surrogates in the text.
    return text.encode(errors="surrogateescape")
