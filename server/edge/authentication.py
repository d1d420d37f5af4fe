"""Who sends a request: a bearer token, or a browser's cookie together with proof that it comes from our page.

A browser attaches cookies to requests that other sites cause, so a write with a cookie must repeat in
`X-CSRF-Token` what only a page of this origin can read; the value is bound to the session by an HMAC.
"""

from __future__ import annotations

import hmac

from aiohttp import web

from server.edge.api_request import Viewer
from server.edge.problems import ProblemError, unauthorized
from server.identity.tokens import AccessTokens, TokenError

ACCESS_COOKIE = "picshare_access"
REFRESH_COOKIE = "picshare_refresh"
CSRF_COOKIE = "picshare_csrf"
CSRF_HEADER = "X-CSRF-Token"
REFRESH_PATH = "/api/v1/tokens"
_SAFE = {"GET", "HEAD", "OPTIONS"}


class RequestAuthenticator:
    """Find out who is signed in; touches no engine."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    def viewer(self, request: web.BaseRequest) -> Viewer | None:
        """Return who sent the request, None for nobody; raise a 401 for a bad token, a 403 without CSRF proof."""
        header = request.headers.get("Authorization")
        if header is not None:
            kind, _, token = header.partition(" ")
            if kind.lower() != "bearer":
                raise unauthorized("invalid_token", "send the access token as: Authorization: Bearer <token>")
            return self._verified(token.strip(), by_cookie=False)
        cookie = request.cookies.get(ACCESS_COOKIE)
        if cookie is None:
            return None
        viewer = self._verified(cookie, by_cookie=True)
        if request.method not in _SAFE:
            self._require_proof(request, self._tokens.csrf(viewer.session))
        return viewer

    def refresh_cookie(self, request: web.BaseRequest) -> str | None:
        """Return the cookie's refresh token; raise a 403 without CSRF proof."""
        token = request.cookies.get(REFRESH_COOKIE)
        if token is not None:
            # The session is not known yet; the readable cookie and the header have to agree.
            self._require_proof(request, request.cookies.get(CSRF_COOKIE, ""))
        return token

    def _verified(self, token: str, *, by_cookie: bool) -> Viewer:
        try:
            claims = self._tokens.verify(token)
        except TokenError as error:
            code = "token_expired" if error.expired else "invalid_token"
            raise unauthorized(code, str(error)) from error
        return Viewer(
            user_id=claims.user_id,
            user_text=claims.subject,
            session=claims.session,
            role=claims.role,
            expires_at=claims.expires_at,
            by_cookie=by_cookie,
        )

    @staticmethod
    def _require_proof(request: web.BaseRequest, expected: str) -> None:
        given = request.headers.get(CSRF_HEADER, "")
        if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
            detail = f"repeat the value of the cookie {CSRF_COOKIE} in the header {CSRF_HEADER}"
            raise ProblemError(403, "csrf_token_missing", detail)


class SessionCookies:
    """Put a session into a browser's cookies and take it out; `secure` demands HTTPS."""

    def __init__(self, *, secure: bool, access_ttl: int, refresh_ttl: int) -> None:
        self._secure = secure
        self._access_ttl = access_ttl
        self._refresh_ttl = refresh_ttl

    def write(self, response: web.Response, *, access: str, refresh: str, csrf: str) -> None:
        """Set the three cookies: two that scripts cannot read, and the one that they repeat."""
        self._set(response, ACCESS_COOKIE, access, self._access_ttl, "/", hidden=True)
        self._set(response, REFRESH_COOKIE, refresh, self._refresh_ttl, REFRESH_PATH, hidden=True)
        self._set(response, CSRF_COOKIE, csrf, self._refresh_ttl, "/", hidden=False)

    def clear(self, response: web.StreamResponse) -> None:
        """Delete the cookies."""
        for name, path in ((ACCESS_COOKIE, "/"), (REFRESH_COOKIE, REFRESH_PATH), (CSRF_COOKIE, "/")):
            response.del_cookie(name, path=path, secure=self._secure, samesite="Lax")

    def _set(self, response: web.Response, name: str, value: str, ttl: int, path: str, *, hidden: bool) -> None:
        response.set_cookie(name, value, max_age=ttl, path=path, httponly=hidden, secure=self._secure, samesite="Lax")
